//! The functions of WASI preview 1 with their types.

use wasmparser::{FuncType, ValType};

/// Where they are imported from.
pub(super) const MODULE: &str = "wasi_snapshot_preview1";

/// Name and parameters (`i` is i32, `I` is i64). All return an `i32`, the
/// error, but for `proc_exit`, which doesn't return.
const FUNCTIONS: [(&str, &str); 46] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "iIi"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("fd_advise", "iIIi"),
    ("fd_allocate", "iII"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "iI"),
    ("fd_filestat_set_times", "iIIi"),
    ("fd_pread", "iiiIi"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_prestat_get", "ii"),
    ("fd_pwrite", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiiIi"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiiIIi"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiiIIii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_exit", "i"),
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// The type of one of the functions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature {
    parameters: &'static str,
    returns: bool,
}

/// The type of the function of that name, if there is one.
pub(super) fn signature(name: &str) -> Option<Signature> {
    let at = FUNCTIONS
        .binary_search_by(|(known, _)| (*known).cmp(name))
        .ok()?;
    let (name, parameters) = FUNCTIONS[at];
    Some(Signature {
        parameters,
        returns: name != "proc_exit",
    })
}

fn types(signature: Signature) -> impl Iterator<Item = ValType> {
    let to_type = |letter| {
        if letter == 'I' {
            ValType::I64
        } else {
            ValType::I32
        }
    };
    signature.parameters.chars().map(to_type)
}

/// Whether a function has that type.
pub(super) fn matches(signature: Signature, found: &FuncType) -> bool {
    let results: &[ValType] = if signature.returns {
        &[ValType::I32]
    } else {
        &[]
    };
    found.results() == results && types(signature).eq(found.params().iter().copied())
}

/// The type as people write it.
pub(super) fn describe(signature: Signature) -> String {
    let parameters: Vec<_> = types(signature).map(|each| each.to_string()).collect();
    let result = if signature.returns { "i32" } else { "" };
    format!("({}) -> ({result})", parameters.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found() {
        assert!(FUNCTIONS.is_sorted(), "found by binary search");
        assert!(FUNCTIONS.iter().all(|(name, _)| signature(name).is_some()));
        assert!(signature("fd_seeek").is_none());
        assert_eq!(
            describe(signature("fd_seek").unwrap()),
            "(i32, i64, i32, i32) -> (i32)"
        );
        assert_eq!(describe(signature("proc_exit").unwrap()), "(i32) -> ()");
    }
}

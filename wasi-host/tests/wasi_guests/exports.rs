//! The import table as the tab uses it: one `extern "C"` function for each
//! import, over a host that belongs to the thread.

use std::cell::RefCell;

use wasipool_wasi::for_each_import;
use wasipool_wasi::{FromErrno, Halt, Host, SliceMemory};

use crate::support::{TestWorld, config};

struct Guest {
    host: Host<TestWorld>,
    memory: Vec<u8>,
    halt: Option<Halt>,
}

thread_local! {
    static GUEST: RefCell<Option<Guest>> = const { RefCell::new(None) };
}

macro_rules! export {
    ([$module:ident] $($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        #[allow(dead_code, reason = "one of each group is enough to call")]
        mod $module {
            use super::*;

            $(pub(super) extern "C" fn $name($($arg: $ty),*) -> $ret {
                GUEST.with_borrow_mut(|guest| {
                    let Some(Guest { host, memory, halt }) = guest else {
                        panic!("no guest runs");
                    };
                    match host.$name(&mut SliceMemory(memory), $($arg),*) {
                        Ok(errno) => FromErrno::from_errno(errno),
                        Err(reason) => {
                            *halt = Some(reason);
                            FromErrno::from_errno(wasipool_wasi::types::Errno::Nosys)
                        }
                    }
                })
            })*
        }
    };
}

for_each_import!(export, functions);

#[test]
fn every_import_is_a_function() {
    let guest = Guest {
        host: Host::new(config(&["guest"]), TestWorld::default()).expect("no files"),
        memory: vec![0; 64],
        halt: None,
    };
    GUEST.set(Some(guest));
    assert_eq!(functions::args_sizes_get(0, 4), 0);
    assert_eq!(functions::fd_close(9), 8);
    assert_eq!(functions::sched_yield(), 0);
    assert_eq!(functions::fd_seek(3, -1, 0, 8), 8);
    functions::proc_exit(4);
    let guest = GUEST.take().expect("it is still there");
    assert_eq!(guest.halt, Some(Halt::Exit(4)));
    assert_eq!(guest.memory[..5], [1, 0, 0, 0, 6]);
}

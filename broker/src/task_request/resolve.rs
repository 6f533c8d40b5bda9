//! Fields to what is run: limits checked, blobs found, large payloads stored.

use std::collections::HashMap;
use std::fmt;

use bytes::Bytes;
use wasipool_shared::artifact::Patterns;
use wasipool_shared::limits::{
    BULK_MESSAGE_BYTES_MAX, INLINE_BYTES_MAX, MEMORY_BYTES_DEFAULT, MEMORY_BYTES_MAX,
    OUTPUT_BYTES_DEFAULT, OUTPUT_BYTES_MAX, TIMEOUT_MS_DEFAULT, TIMEOUT_MS_MAX,
};
use wasipool_shared::task::{BlobRef, Files, Payload, TaskLimits, TaskSpec};

use super::fields::{FilesField, PayloadField, TaskFields};
use super::files::arrange;
use super::{RequestError, TaskRules};
use crate::driver::ModuleInfo;
use crate::module::BlobKind;
use crate::store::{Pin, Store};

pub use super::files::Archives;

/// What a message needs beside the bytes of a task's strings and payloads.
const MESSAGE_RESERVE: usize = 64 * 1024;
/// Bytes that each string, payload or reference takes in a message at most,
/// beside its own.
const ITEM_BYTES: usize = 48;

/// Where in a request a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The request is the task.
    Alone,
    /// What holds for all tasks.
    Defaults,
    /// One of the tasks.
    Task(usize),
    /// One of the runs of a batch, as the earlier system calls them.
    Run(usize),
}

impl Place {
    fn field(self, name: &str) -> String {
        match self {
            Self::Alone => name.to_owned(),
            Self::Defaults | Self::Task(_) | Self::Run(_) => format!("{self}.{name}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone => f.write_str("the task"),
            Self::Defaults => f.write_str("defaults"),
            Self::Task(index) => write!(f, "tasks[{index}]"),
            Self::Run(index) => write!(f, "exec[{index}]"),
        }
    }
}

/// Finds blobs and stores payloads for one request.
#[derive(Debug)]
pub struct Resolver<'a> {
    store: &'a Store,
    archives: &'a Archives,
    owner: u64,
    known: HashMap<String, (BlobRef, BlobKind)>,
    pins: Vec<Pin>,
}

/// Keeps what a request's tasks need until they are accepted.
#[derive(Debug)]
pub struct Resolved {
    _pins: Vec<Pin>,
}

impl<'a> Resolver<'a> {
    /// For a new request; what is stored for it counts for `owner`.
    #[must_use]
    pub fn new(store: &'a Store, archives: &'a Archives, owner: u64) -> Self {
        Self {
            store,
            archives,
            owner,
            known: HashMap::new(),
            pins: Vec::new(),
        }
    }

    /// What must be kept until the driver has the job.
    #[must_use]
    pub fn finish(self) -> Resolved {
        Resolved { _pins: self.pins }
    }

    /// Keeps a blob as long as the request.
    pub fn hold(&mut self, pin: Pin) {
        self.pins.push(pin);
    }

    /// The module that a request names.
    ///
    /// # Errors
    /// If there is no such blob, or it is no module.
    pub async fn module(&mut self, reference: &str) -> Result<ModuleInfo, RequestError> {
        let Some((meta, pin)) = self.store.blobs().resolve(reference).await else {
            let (place, reference) = ("module".to_owned(), reference.to_owned());
            return Err(RequestError::UnknownBlob { place, reference });
        };
        self.pins.push(pin);
        let Some(module) = &meta.module else {
            let (reference, kind) = (reference.to_owned(), meta.kind.as_str());
            return Err(RequestError::NotAModule { reference, kind });
        };
        Ok(ModuleInfo {
            reference: reference.to_owned(),
            digest: meta.digest,
            size: meta.size,
            features: module.features,
        })
    }

    /// Stores what is large in fields that hold for many tasks, once for all.
    ///
    /// # Errors
    /// If it can't be stored.
    pub async fn store_large(&mut self, fields: &mut TaskFields) -> Result<(), RequestError> {
        let mut payloads: Vec<&mut PayloadField> = fields.stdin.iter_mut().collect();
        if let Some(FilesField::Map(map)) = &mut fields.files {
            payloads.extend(map.iter_mut().map(|(_, content)| content));
        }
        let mut inline = self.archives.rules().inline_bytes;
        for payload in payloads {
            if let PayloadField::Bytes(bytes) = payload {
                if bytes.len() > inline {
                    let blob = self.put(bytes.clone()).await?;
                    *payload = PayloadField::Blob(blob.digest.to_string());
                } else {
                    inline -= bytes.len();
                }
            }
        }
        Ok(())
    }

    /// One task as it is run: its own fields, else the defaults.
    ///
    /// # Errors
    /// If a field passes a limit or names what isn't there.
    pub async fn task(
        &mut self,
        place: Place,
        own: TaskFields,
        defaults: &TaskFields,
        argv0: &str,
    ) -> Result<TaskSpec, RequestError> {
        let from = |own: bool, name: &str| {
            if own {
                place.field(name)
            } else {
                Place::Defaults.field(name)
            }
        };
        let args_place = from(own.args.is_some(), "args");
        let argv0 = own
            .argv0
            .or_else(|| defaults.argv0.clone())
            .unwrap_or_else(|| argv0.to_owned());
        let rest = own
            .args
            .or_else(|| defaults.args.clone())
            .unwrap_or_default();
        let mut args = Vec::with_capacity(rest.len() + 1);
        args.push(argv0);
        args.extend(rest);
        check_args(&args_place, &args, self.archives.rules())?;

        let env_place = from(own.env.is_some(), "env");
        let mut env = defaults.env.clone().unwrap_or_default().0;
        env.extend(own.env.unwrap_or_default().0);
        let env: Vec<_> = env.into_iter().collect();
        check_env(&env_place, &env, self.archives.rules())?;

        let artifacts_place = from(own.artifacts.is_some(), "artifacts");
        let artifacts = own
            .artifacts
            .or_else(|| defaults.artifacts.clone())
            .unwrap_or_default();
        Patterns::new(&artifacts).map_err(|error| RequestError::at(&artifacts_place, error))?;

        let timeout_ms = own.timeout.or(defaults.timeout).map(|timeout| timeout.ms);
        let memory_bytes = own.memory.or(defaults.memory).map(|memory| memory.bytes);
        let output_bytes = own.output.or(defaults.output).map(|output| output.bytes);
        let limits = TaskLimits {
            timeout_ms: within(
                &from(own.timeout.is_some(), "timeout"),
                timeout_ms.unwrap_or(TIMEOUT_MS_DEFAULT),
                1..=TIMEOUT_MS_MAX,
                "milliseconds",
            )?,
            memory_bytes: within(
                &from(own.memory.is_some(), "memory"),
                memory_bytes.unwrap_or(MEMORY_BYTES_DEFAULT),
                1..=MEMORY_BYTES_MAX,
                "bytes",
            )?,
            output_bytes: within(
                &from(own.output.is_some(), "output"),
                output_bytes.unwrap_or(OUTPUT_BYTES_DEFAULT),
                0..=OUTPUT_BYTES_MAX,
                "bytes",
            )?,
            artifact_bytes: self.archives.rules().artifact_bytes,
        };

        let mut inline = self.archives.rules().inline_bytes;
        let stdin_place = from(own.stdin.is_some(), "stdin");
        let stdin = match own.stdin.or_else(|| defaults.stdin.clone()) {
            Some(payload) => self.payload(&stdin_place, payload, &mut inline).await?,
            None => Payload::EMPTY,
        };
        let files_place = from(own.files.is_some(), "files");
        let files = match own.files.or_else(|| defaults.files.clone()) {
            Some(files) => self.files(&files_place, files, &mut inline).await?,
            None => Files::None,
        };
        let spec = TaskSpec {
            args,
            env,
            stdin,
            files,
            artifacts,
            limits,
            seed: None,
        };
        check_size(place, &spec)?;
        Ok(spec)
    }

    async fn payload(
        &mut self,
        place: &str,
        payload: PayloadField,
        inline: &mut usize,
    ) -> Result<Payload, RequestError> {
        match payload {
            PayloadField::Bytes(bytes) if bytes.len() <= *inline => {
                *inline -= bytes.len();
                Ok(Payload::Inline(bytes))
            }
            PayloadField::Bytes(bytes) => self.put(bytes).await.map(Payload::Blob),
            PayloadField::Blob(reference) => {
                Ok(Payload::Blob(self.blob(place, reference).await?.0))
            }
        }
    }

    async fn files(
        &mut self,
        place: &str,
        files: FilesField,
        inline: &mut usize,
    ) -> Result<Files, RequestError> {
        match files {
            FilesField::Archive(reference) => {
                let (blob, kind) = self.blob(place, reference).await?;
                if kind != BlobKind::Archive {
                    let problem = "the blob is not a zip, tar or tar.gz archive";
                    return Err(RequestError::at(place, problem));
                }
                let checked = self.archives.check(self.store, blob.digest).await;
                checked.map_err(|problem| RequestError::at(place, problem))?;
                Ok(Files::Archive(blob))
            }
            FilesField::Map(map) => {
                let mut files = Vec::with_capacity(map.len());
                for (path, content) in arrange(place, map)? {
                    let place = format!("{place}[{path:?}]");
                    files.push((path, self.payload(&place, content, inline).await?));
                }
                Ok(if files.is_empty() {
                    Files::None
                } else {
                    Files::Map(files)
                })
            }
        }
    }

    async fn blob(
        &mut self,
        place: &str,
        reference: String,
    ) -> Result<(BlobRef, BlobKind), RequestError> {
        if let Some(known) = self.known.get(&reference) {
            return Ok(*known);
        }
        let Some((meta, pin)) = self.store.blobs().resolve(&reference).await else {
            return Err(RequestError::UnknownBlob {
                place: place.to_owned(),
                reference,
            });
        };
        self.pins.push(pin);
        let found = (
            BlobRef {
                digest: meta.digest,
                size: meta.size,
            },
            meta.kind,
        );
        self.known.insert(reference, found);
        Ok(found)
    }

    async fn put(&mut self, bytes: Bytes) -> Result<BlobRef, RequestError> {
        let put = self
            .store
            .blobs()
            .put_for(self.owner, bytes, BlobKind::Data, None)
            .await?;
        self.pins.push(put.pin);
        Ok(BlobRef {
            digest: put.meta.digest,
            size: put.meta.size,
        })
    }
}

fn check_args(place: &str, args: &[String], rules: &TaskRules) -> Result<(), RequestError> {
    if args.len() > rules.args + 1 {
        return Err(RequestError::at(
            place,
            format_args!("more than {} arguments are not taken", rules.args),
        ));
    }
    if let Some(at) = args.iter().position(|arg| arg.contains('\0')) {
        let which = at
            .checked_sub(1)
            .map_or("argv0".to_owned(), |index| format!("[{index}]"));
        return Err(RequestError::at(
            place,
            format_args!("{which} has a NUL character"),
        ));
    }
    let bytes: usize = args.iter().map(String::len).sum();
    let limit = rules.args_bytes;
    if bytes > limit {
        let problem = format_args!("{bytes} bytes of arguments are over the limit of {limit}");
        return Err(RequestError::at(place, problem));
    }
    Ok(())
}

fn check_env(place: &str, env: &[(String, String)], rules: &TaskRules) -> Result<(), RequestError> {
    if env.len() > rules.env {
        return Err(RequestError::at(
            place,
            format_args!("more than {} variables are not taken", rules.env),
        ));
    }
    let bad = |(name, value): &&(String, String)| {
        name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')
    };
    if let Some((name, _)) = env.iter().find(bad) {
        let problem =
            "a name must not be empty or have `=`, and neither name nor value a NUL character";
        return Err(RequestError::at(&format!("{place}[{name:?}]"), problem));
    }
    let bytes: usize = env
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let limit = rules.env_bytes;
    if bytes > limit {
        let problem =
            format_args!("{bytes} bytes of names and values are over the limit of {limit}");
        return Err(RequestError::at(place, problem));
    }
    Ok(())
}

/// A number within its limits, or an error that names them.
pub(super) fn within<T: PartialOrd + fmt::Display + Copy>(
    place: &str,
    value: T,
    limits: std::ops::RangeInclusive<T>,
    unit: &str,
) -> Result<T, RequestError> {
    if limits.contains(&value) {
        return Ok(value);
    }
    let (min, max) = (limits.start(), limits.end());
    let space = if unit.is_empty() { "" } else { " " };
    Err(RequestError::at(
        place,
        format_args!("{value}{space}{unit} is outside of {min} to {max}"),
    ))
}

/// Memory that a task's description takes, payloads not counted: they are
/// shared.
pub(crate) fn description_bytes(spec: &TaskSpec) -> usize {
    let args: usize = spec.args.iter().map(|arg| arg.len() + ITEM_BYTES).sum();
    let env: usize = spec
        .env
        .iter()
        .map(|(name, value)| name.len() + value.len() + ITEM_BYTES)
        .sum();
    let artifacts: usize = spec
        .artifacts
        .iter()
        .map(|path| path.len() + ITEM_BYTES)
        .sum();
    let files: usize = match &spec.files {
        Files::None | Files::Archive(_) => 0,
        Files::Map(map) => map
            .iter()
            .map(|(path, _)| path.len() + 2 * ITEM_BYTES)
            .sum(),
    };
    args + env + artifacts + files
}

/// A task goes to a provider as one message, which has a limit.
fn check_size(place: Place, spec: &TaskSpec) -> Result<(), RequestError> {
    let limit = BULK_MESSAGE_BYTES_MAX - MESSAGE_RESERVE - INLINE_BYTES_MAX;
    let bytes = description_bytes(spec);
    if bytes > limit {
        return Err(RequestError::TooLarge(format!(
            "{place}: arguments, environment and paths take {bytes} bytes together, over the limit of \
             {limit}: put the files into an archive"
        )));
    }
    Ok(())
}

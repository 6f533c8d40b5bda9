//! The SQL database: a file in the broker's folder, or in memory.
//!
//! - [`schema`]: tables, and how those of older versions become those of today.
//! - [`jobs`], [`results`], [`forget`], [`blobs`]: statements.

pub(super) mod blobs;
pub(super) mod forget;
pub(super) mod jobs;
pub(super) mod results;
pub(super) mod schema;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, OpenFlags};

/// The database's file in the broker's folder.
const FILE: &str = "wasipool.sqlite";
/// The file that says which broker uses the folder.
const LOCK: &str = "lock";
/// Connections for readers that are kept.
const IDLE_MAX: usize = 4;
/// How long a reader waits for a lock; the writer holds none that readers need.
const BUSY: Duration = Duration::from_secs(10);
/// Pages of the log after which it is written into the database: 16 MiB.
const CHECKPOINT_PAGES: u32 = 4_096;
/// Bytes of the log's file that stay after that.
const LOG_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// Why the data can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another broker does.
    #[error(
        "the folder {} is in use by another broker (process {process}): stop that one, or name \
         another folder with --data",
        folder.display()
    )]
    InUse {
        /// Which folder.
        folder: PathBuf,
        /// Who uses it.
        process: String,
    },
    /// A newer broker wrote it.
    #[error(
        "the data has version {found}, this broker knows versions up to {known}: start the newer \
         broker that wrote it, or name another folder with --data"
    )]
    Newer {
        /// The data's version.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// It is another program's.
    #[error("the file {} is not a database of wasipool", .0.display())]
    Foreign(PathBuf),
    /// A file can't be used.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The database can't be used.
    #[error("the database can't be used: {0}")]
    Sql(#[from] rusqlite::Error),
}

/// The database, with one connection that writes.
#[derive(Debug)]
pub(super) struct Database {
    file: Option<PathBuf>,
    writer: Mutex<Connection>,
    /// Connections that nobody reads with just now.
    idle: Mutex<Vec<Connection>>,
    // Held as long as the database is open.
    _lock: Option<File>,
}

impl Database {
    /// Opens the database in that folder, or an empty one in memory.
    pub(super) fn open(folder: Option<&Path>) -> Result<Self, OpenError> {
        let (file, lock, mut writer) = match folder {
            Some(folder) => {
                fs::create_dir_all(folder)?;
                let lock = lock(folder)?;
                let file = folder.join(FILE);
                let writer = Connection::open(&file)?;
                schema::check(&writer, &file)?;
                prepare_file(&writer)?;
                (Some(file), Some(lock), writer)
            }
            None => (None, None, Connection::open_in_memory()?),
        };
        writer.set_prepared_statement_cache_capacity(64);
        schema::migrate(&mut writer, schema::MIGRATIONS)?;
        Ok(Self {
            file,
            writer: Mutex::new(writer),
            idle: Mutex::default(),
            _lock: lock,
        })
    }

    /// The connection that writes; only the writer's thread asks for it, and
    /// readers where all is in memory.
    pub(super) fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock()
    }

    /// Reads what is committed. Blocks: for threads that may.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let Some(file) = &self.file else {
            return read(&self.writer.lock());
        };
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => reader(file)?,
        };
        let result = read(&connection);
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        result
    }
}

/// Takes the folder for this process; the lock ends with it, however it ends.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let mut file = File::options()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut process = String::new();
            file.read_to_string(&mut process)?;
            Err(OpenError::InUse {
                folder: folder.to_owned(),
                process: process.trim().to_owned(),
            })
        }
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn prepare_file(writer: &Connection) -> rusqlite::Result<()> {
    // Has an effect in a new file only: room of what was deleted is given back.
    writer.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    // Each commit is on the disk before anybody is told of it.
    writer.pragma_update(None, "synchronous", "FULL")?;
    writer.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    writer.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
    writer.pragma_update(None, "cache_size", -32_768)?;
    writer.busy_timeout(BUSY)
}

fn reader(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

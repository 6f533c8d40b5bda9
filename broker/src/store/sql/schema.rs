//! Tables, and how those of older versions become those of today.

use std::path::Path;

use rusqlite::Connection;

use super::OpenError;

/// Says whose file it is: "wasi", as a big-endian number.
const APPLICATION: u32 = 0x7761_7369;

/// What brings data from each version to the next; the first makes the tables.
/// What stands here is never changed, only added to: data of each version
/// exists somewhere.
pub(in crate::store) const MIGRATIONS: &[&str] = &[V1, V2];

/// Numbers of 64 bits without a sign are kept as those with the same bits.
///
/// `place` and `task` hold a job's key in their upper 32 bits: a task's result
/// is found by its index, and all of a job's in the order in which they came,
/// with one index and rows that are only ever appended.
const V1: &str = "
CREATE TABLE jobs (
    key INTEGER PRIMARY KEY,
    -- 16 bytes, big-endian: sorts by age.
    id BLOB NOT NULL UNIQUE,
    idempotency_key TEXT UNIQUE,
    owner INTEGER NOT NULL,
    name TEXT,
    module_reference TEXT NOT NULL,
    module BLOB NOT NULL,
    tasks INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    -- JSON: an object of strings.
    labels TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    started_ms INTEGER,
    ended_ms INTEGER,
    -- Whether its owner wants no more of it.
    cancelled INTEGER NOT NULL DEFAULT 0,
    -- JSON: how many tasks ended in which state.
    counts TEXT NOT NULL,
    -- Of all its results.
    bytes INTEGER NOT NULL DEFAULT 0,
    -- What is needed to run it, until it has ended.
    spec BLOB
) STRICT;
CREATE INDEX jobs_open ON jobs (key) WHERE ended_ms IS NULL;
CREATE INDEX jobs_ended ON jobs (ended_ms, bytes) WHERE ended_ms IS NOT NULL;

CREATE TABLE results (
    -- The job's key and how many of its tasks ended before.
    place INTEGER PRIMARY KEY,
    -- The job's key and the task's index.
    task INTEGER NOT NULL,
    state INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
-- States are read from here alone.
CREATE INDEX results_task ON results (task, state);

-- Outputs that are too large to be read with each result.
CREATE TABLE outputs (
    place INTEGER NOT NULL,
    part INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (place, part)
) STRICT;

-- Jobs of which some results are still to be removed.
CREATE TABLE forgotten (key INTEGER PRIMARY KEY) STRICT;
";

/// Blobs and their names; their content is beside the database.
const V2: &str = "
CREATE TABLE blobs (
    digest BLOB PRIMARY KEY,
    -- JSON: what is known of it.
    meta TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE names (
    name TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Refuses a file that isn't a database of this program.
pub(super) fn check(connection: &Connection, file: &Path) -> Result<(), OpenError> {
    let foreign = || OpenError::Foreign(file.to_owned());
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let application = match number("application_id") {
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            return Err(foreign());
        }
        application => application?,
    };
    let new = application == 0 && number("user_version")? == 0 && number("schema_version")? == 0;
    if new || application == APPLICATION {
        Ok(())
    } else {
        Err(foreign())
    }
}

/// Brings the data to the newest version, one version at a time, each of them
/// wholly or not at all.
pub(in crate::store) fn migrate(
    connection: &mut Connection,
    migrations: &[&str],
) -> Result<(), OpenError> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    for (version, migration) in (1..).zip(migrations).skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
        if version > 1 {
            tracing::info!(version, "the data was brought to a new version");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: &str = "ALTER TABLE jobs ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey';";

    fn version(connection: &Connection) -> u32 {
        connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn data_of_an_older_version_is_brought_to_the_newest() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[V1]).unwrap();
        let insert = "INSERT INTO jobs (id, owner, module_reference, module, tasks, priority,
             labels, created_ms, counts) VALUES (x'01', 0, 'm', x'02', 3, 0, '{}', 1, '{}')";
        connection.execute(insert, []).unwrap();
        migrate(&mut connection, &[V1, NEXT]).unwrap();
        assert_eq!(version(&connection), 2);
        let row = connection.query_row("SELECT tasks, colour FROM jobs", [], |row| {
            Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?))
        });
        assert_eq!(row.unwrap(), (3, "grey".to_owned()));
        // A second time there is nothing to be done.
        migrate(&mut connection, &[V1, NEXT]).unwrap();
    }

    #[test]
    fn data_of_a_newer_version_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[V1, NEXT]).unwrap();
        let error = migrate(&mut connection, &[V1]).unwrap_err().to_string();
        assert!(
            error.contains("version 2") && error.contains("up to 1"),
            "{error}"
        );
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[V1]).unwrap();
        let broken = "CREATE TABLE more (a INTEGER) STRICT; SELECT nothing;";
        assert!(migrate(&mut connection, &[V1, broken]).is_err());
        assert_eq!(version(&connection), 1);
        assert!(connection.execute("SELECT a FROM more", []).is_err());
    }
}

//! Statements on jobs.

use std::collections::BTreeMap;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::JobId;

use crate::store::job::{Counts, JobRecord};

/// A job's number in the database, from 1: 31 bits, so that it and a task's
/// index make a number.
pub(in crate::store) type Key = i64;

/// A job that hasn't ended, and what is needed to go on with it.
#[derive(Debug)]
pub(in crate::store) struct OpenJob {
    pub(in crate::store) key: Key,
    pub(in crate::store) record: JobRecord,
    pub(in crate::store) cancelled: bool,
    pub(in crate::store) spec: Vec<u8>,
}

/// A job that has ended, as far as the cleaner looks at it.
#[derive(Debug)]
pub(in crate::store) struct EndedJob {
    pub(in crate::store) key: Key,
    pub(in crate::store) id: JobId,
    pub(in crate::store) ended_unix_ms: u64,
    pub(in crate::store) bytes: u64,
}

const COLUMNS: &str = "key, id, idempotency_key, owner, name, module_reference, module, tasks, \
     priority, labels, created_ms, started_ms, ended_ms, counts, bytes";

/// The key of the next job.
pub(in crate::store) fn next_key(connection: &Connection) -> rusqlite::Result<Key> {
    let sql = "SELECT 1 + max(coalesce((SELECT max(key) FROM jobs), 0), \
               coalesce((SELECT max(key) FROM forgotten), 0))";
    connection.query_row(sql, [], |row| row.get(0))
}

/// Bytes of the results of all jobs.
pub(in crate::store) fn bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(sum(bytes), 0) FROM jobs";
    connection.query_row(sql, [], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))
}

/// Adds a job.
pub(in crate::store) fn insert(
    connection: &Connection,
    key: Key,
    record: &JobRecord,
    spec: &[u8],
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO jobs (key, id, idempotency_key, owner, name, module_reference, module, \
               tasks, priority, labels, created_ms, counts, spec) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    connection.prepare_cached(sql)?.execute(params![
        key,
        record.id.0.to_be_bytes(),
        record.idempotency_key,
        record.owner.cast_signed(),
        record.name,
        record.module_reference,
        record.module.0,
        record.tasks,
        record.priority,
        to_json(&record.labels),
        record.created_unix_ms.cast_signed(),
        record.counts.to_json(),
        spec,
    ])?;
    Ok(())
}

/// Notes how far a job has come; what is needed to run it goes when it has
/// ended.
pub(in crate::store) fn update(
    connection: &Connection,
    key: Key,
    record: &JobRecord,
) -> rusqlite::Result<()> {
    let sql = "UPDATE jobs SET started_ms = ?2, ended_ms = ?3, counts = ?4, bytes = ?5, \
               spec = iif(?3 IS NULL, spec, NULL) WHERE key = ?1";
    connection.prepare_cached(sql)?.execute(params![
        key,
        record.started_unix_ms.map(u64::cast_signed),
        record.ended_unix_ms.map(u64::cast_signed),
        record.counts.to_json(),
        record.bytes.cast_signed(),
    ])?;
    Ok(())
}

/// Notes that a job's owner wants no more of it.
pub(in crate::store) fn cancel(connection: &Connection, id: JobId) -> rusqlite::Result<()> {
    let sql = "UPDATE jobs SET cancelled = 1 WHERE id = ?1 AND ended_ms IS NULL";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute([id.0.to_be_bytes()])?;
    Ok(())
}

/// The job of an idempotency key.
pub(in crate::store) fn by_idempotency_key(
    connection: &Connection,
    key: &str,
) -> rusqlite::Result<Option<JobId>> {
    let sql = "SELECT id FROM jobs WHERE idempotency_key = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row([key], |row| job_id(row, 0)).optional()
}

/// A job and its key.
pub(in crate::store) fn find(
    connection: &Connection,
    id: JobId,
) -> rusqlite::Result<Option<(Key, JobRecord)>> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row([id.0.to_be_bytes()], read).optional()
}

/// Calls `each` for jobs older than `after`, the newest first, until it gives
/// false.
pub(in crate::store) fn newest(
    connection: &Connection,
    after: Option<JobId>,
    mut each: impl FnMut(JobRecord) -> bool,
) -> rusqlite::Result<()> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([after.map(|after| after.0.to_be_bytes())])?;
    while let Some(row) = rows.next()? {
        if !each(read(row)?.1) {
            break;
        }
    }
    Ok(())
}

/// All jobs that haven't ended, in the order in which they came.
pub(in crate::store) fn open(connection: &Connection) -> rusqlite::Result<Vec<OpenJob>> {
    let sql =
        format!("SELECT {COLUMNS}, cancelled, spec FROM jobs WHERE ended_ms IS NULL ORDER BY key");
    let mut statement = connection.prepare(&sql)?;
    let jobs = statement.query_map([], |row| {
        let (key, record) = read(row)?;
        Ok(OpenJob {
            key,
            record,
            cancelled: row.get(15)?,
            spec: row.get(16)?,
        })
    })?;
    jobs.collect()
}

/// Calls `each` for jobs that have ended, those that did first first, until it
/// gives false.
pub(in crate::store) fn ended(
    connection: &Connection,
    mut each: impl FnMut(EndedJob) -> bool,
) -> rusqlite::Result<()> {
    let sql = "SELECT key, id, ended_ms, bytes FROM jobs WHERE ended_ms IS NOT NULL \
               ORDER BY ended_ms";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let job = EndedJob {
            key: row.get(0)?,
            id: job_id(row, 1)?,
            ended_unix_ms: row.get::<_, i64>(2)?.cast_unsigned(),
            bytes: row.get::<_, i64>(3)?.cast_unsigned(),
        };
        if !each(job) {
            break;
        }
    }
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<(Key, JobRecord)> {
    let labels: String = row.get(9)?;
    let counts: String = row.get(13)?;
    let unsigned = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    let optional = |column| {
        let value = row.get::<_, Option<i64>>(column)?;
        Ok::<_, rusqlite::Error>(value.map(i64::cast_unsigned))
    };
    let record = JobRecord {
        id: job_id(row, 1)?,
        idempotency_key: row.get(2)?,
        owner: unsigned(3)?,
        name: row.get(4)?,
        module_reference: row.get(5)?,
        module: Digest(row.get(6)?),
        tasks: row.get(7)?,
        priority: row.get(8)?,
        labels: from_json(9, &labels)?,
        created_unix_ms: unsigned(10)?,
        started_unix_ms: optional(11)?,
        ended_unix_ms: optional(12)?,
        counts: Counts::from_json(&from_json(13, &counts)?),
        bytes: unsigned(14)?,
    };
    Ok((row.get(0)?, record))
}

fn job_id(row: &Row<'_>, column: usize) -> rusqlite::Result<JobId> {
    row.get(column).map(u128::from_be_bytes).map(JobId)
}

fn to_json(labels: &BTreeMap<String, String>) -> String {
    serde_json::Value::from_iter(labels.clone()).to_string()
}

fn from_json<T: serde::de::DeserializeOwned>(column: usize, text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

//! Statements on results.

use std::ops::Range;

use bytes::Bytes;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};

use super::jobs::Key;
use crate::store::packed::{Packed, unpack};
use crate::store::task::{TaskRecord, TaskState};

/// Bytes of outputs after which a page of results ends, though it could be
/// longer: what is read at once is in memory at once.
const PAGE_BYTES: usize = 16 * 1024 * 1024;

/// Results with their indexes, and the index of the one after them that is left
/// for the next page.
type Page = (Vec<(u32, TaskRecord)>, Option<u32>);

/// A job's key with a number of 32 bits below it.
fn joined(key: Key, number: u32) -> i64 {
    key << 32 | i64::from(number)
}

fn lower(joined: i64) -> u32 {
    (joined & i64::from(u32::MAX)) as u32
}

/// Adds the result of a task as the job's `nth`; false if the task has one.
pub(in crate::store) fn insert(
    connection: &Connection,
    key: Key,
    nth: u32,
    index: u32,
    packed: &Packed,
) -> rusqlite::Result<bool> {
    let (place, task) = (joined(key, nth), joined(key, index));
    // Two statements: one that inserts what it selects from the same table makes
    // a table of its own for that, each time.
    let known = "SELECT 1 FROM results WHERE task = ?1";
    if connection.prepare_cached(known)?.exists([task])? {
        return Ok(false);
    }
    let sql = "INSERT INTO results (place, task, state, record) VALUES (?1, ?2, ?3, ?4)";
    let state = packed.state as u8;
    connection
        .prepare_cached(sql)?
        .execute(params![place, task, state, packed.encoded])?;
    for (part, bytes) in &packed.aside {
        let sql = "INSERT INTO outputs (place, part, bytes) VALUES (?1, ?2, ?3)";
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![place, part, &bytes[..]])?;
    }
    Ok(true)
}

/// The result of a task.
pub(in crate::store) fn of_task(
    connection: &Connection,
    key: Key,
    index: u32,
) -> rusqlite::Result<Option<TaskRecord>> {
    let sql = "SELECT place, task, state, record FROM results WHERE task = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement
        .query_row([joined(key, index)], |row| read(connection, row))
        .optional()?;
    Ok(found.map(|(_, record)| record))
}

/// Results of tasks of those indexes, in their order, of one state if it is
/// given, at most `limit`. Says too where to go on, if there may be more.
pub(in crate::store) fn by_index(
    connection: &Connection,
    key: Key,
    indexes: Range<u32>,
    state: Option<TaskState>,
    limit: usize,
) -> rusqlite::Result<Page> {
    let sql = "SELECT place, task, state, record FROM results \
               WHERE task >= ?1 AND task < ?2 AND (?3 IS NULL OR state = ?3) ORDER BY task";
    let statement = connection.prepare_cached(sql)?;
    let (from, to) = (joined(key, indexes.start), joined(key, indexes.end));
    let state = state.map(|state| state as u8);
    page(connection, statement, params![from, to, state], limit)
}

/// Results from the `from`th on, in the order in which they came, at most
/// `limit`.
pub(in crate::store) fn by_completion(
    connection: &Connection,
    key: Key,
    from: u32,
    limit: usize,
) -> rusqlite::Result<Vec<(u32, TaskRecord)>> {
    let sql = "SELECT place, task, state, record FROM results \
               WHERE place >= ?1 AND place < ?2 ORDER BY place";
    let statement = connection.prepare_cached(sql)?;
    let range = params![joined(key, from), joined(key + 1, 0)];
    Ok(page(connection, statement, range, limit)?.0)
}

fn page(
    connection: &Connection,
    mut statement: CachedStatement<'_>,
    params: &[&dyn rusqlite::ToSql],
    limit: usize,
) -> rusqlite::Result<Page> {
    let mut rows = statement.query(params)?;
    let mut results = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if results.len() >= limit || bytes > PAGE_BYTES {
            return Ok((results, Some(lower(row.get(1)?))));
        }
        let (index, record) = read(connection, row)?;
        bytes += record.output_bytes();
        results.push((index, record));
    }
    Ok((results, None))
}

/// Calls `each` for those tasks of these indexes that have ended: which of them,
/// from 0, and how.
pub(in crate::store) fn states(
    connection: &Connection,
    key: Key,
    indexes: Range<u32>,
    mut each: impl FnMut(usize, TaskState),
) -> rusqlite::Result<()> {
    let sql = "SELECT task, state FROM results WHERE task >= ?1 AND task < ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([joined(key, indexes.start), joined(key, indexes.end)])?;
    while let Some(row) = rows.next()? {
        let at = lower(row.get(0)?) - indexes.start;
        each(at as usize, state(row, 1)?);
    }
    Ok(())
}

fn state(row: &Row<'_>, column: usize) -> rusqlite::Result<TaskState> {
    let code: u8 = row.get(column)?;
    let state = TaskState::ALL.get(usize::from(code)).copied();
    state.ok_or(rusqlite::Error::IntegralValueOutOfRange(
        column,
        code.into(),
    ))
}

/// Calls `each` with the indexes of those tasks that have ended, ascending,
/// until it gives false.
pub(in crate::store) fn ended(
    connection: &Connection,
    key: Key,
    from: u32,
    mut each: impl FnMut(u32) -> bool,
) -> rusqlite::Result<()> {
    let sql = "SELECT task FROM results WHERE task >= ?1 AND task < ?2 ORDER BY task";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([joined(key, from), joined(key + 1, 0)])?;
    while let Some(row) = rows.next()? {
        if !each(lower(row.get(0)?)) {
            break;
        }
    }
    Ok(())
}

fn read(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<(u32, TaskRecord)> {
    let place: i64 = row.get(0)?;
    let index = lower(row.get(1)?);
    let encoded = row.get_ref(3)?.as_blob()?;
    let aside = |part| output(connection, place, part);
    Ok((index, unpack(state(row, 2)?, encoded, aside)?))
}

fn output(connection: &Connection, place: i64, part: u32) -> rusqlite::Result<Bytes> {
    let sql = "SELECT bytes FROM outputs WHERE place = ?1 AND part = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let bytes: Vec<u8> = statement.query_row(params![place, part], |row| row.get(0))?;
    Ok(bytes.into())
}

//! Statements that remove jobs.

use rusqlite::{Connection, OptionalExtension as _};

use super::jobs::Key;

/// Results that are removed together.
const RESULTS: u32 = 8_192;
/// Large outputs that are removed together.
const OUTPUTS: u32 = 64;
/// Pages that are given back to the file system together.
const PAGES: u32 = 4_096;

/// Removes jobs; their results are left to be swept.
pub(in crate::store) fn jobs(connection: &Connection, keys: &[Key]) -> rusqlite::Result<()> {
    let mut remove = connection.prepare_cached("DELETE FROM jobs WHERE key = ?1")?;
    let mut note = connection.prepare_cached("INSERT INTO forgotten (key) VALUES (?1)")?;
    for key in keys {
        remove.execute([key])?;
        note.execute([key])?;
    }
    Ok(())
}

/// Whether there is something to be swept.
pub(in crate::store) fn is_left(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(next(connection)?.is_some())
}

fn next(connection: &Connection) -> rusqlite::Result<Option<Key>> {
    let mut statement = connection.prepare_cached("SELECT min(key) FROM forgotten")?;
    let key = statement.query_row([], |row| row.get(0)).optional()?;
    Ok(key.flatten())
}

/// Removes some of the results of jobs that were removed.
pub(in crate::store) fn sweep(connection: &Connection) -> rusqlite::Result<()> {
    let mut left = RESULTS as usize;
    while left > 0
        && let Some(key) = next(connection)?
    {
        let (from, to) = (key << 32, (key + 1) << 32);
        let outputs = "DELETE FROM outputs WHERE rowid IN \
             (SELECT rowid FROM outputs WHERE place >= ?1 AND place < ?2 LIMIT ?3)";
        let mut outputs = connection.prepare_cached(outputs)?;
        if outputs.execute([from, to, i64::from(OUTPUTS)])? > 0 {
            break;
        }
        let results = "DELETE FROM results WHERE place IN \
             (SELECT place FROM results WHERE place >= ?1 AND place < ?2 LIMIT ?3)";
        let mut results = connection.prepare_cached(results)?;
        let removed = results.execute([from, to, i64::from(RESULTS)])?;
        left = left.saturating_sub(removed.max(1));
        if removed < RESULTS as usize {
            let mut done = connection.prepare_cached("DELETE FROM forgotten WHERE key = ?1")?;
            done.execute([key])?;
        }
    }
    // A page is given back with each row that is asked for.
    let mut shrink = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut pages = shrink.query([])?;
    while pages.next()?.is_some() {}
    Ok(())
}

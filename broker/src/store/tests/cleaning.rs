//! Which jobs are forgotten, and which never.

use super::*;

static LARGE: [u8; 100_000] = [7; 100_000];

async fn keeping(keep: Keep) -> Store {
    let settings = StoreSettings {
        keep,
        ..StoreSettings::default()
    };
    Store::open(settings).await.unwrap()
}

async fn with_three_jobs(keep: Keep) -> Store {
    let store = keeping(keep).await;
    for number in 1..=3 {
        let new = NewJob {
            idempotency_key: Some(number.to_string()),
            ..new_job(1, Payload::EMPTY)
        };
        store.insert_job(id(number), &new).await.unwrap();
        let result = record(TaskState::Succeeded, &LARGE);
        store.finish_tasks(vec![(id(number), 0, result)]).await;
        store.flush().await;
    }
    store
}

async fn known(store: &Store) -> Vec<JobId> {
    let page = store.jobs().list(&JobFilter::default(), None, 9).await;
    page.items.into_iter().map(|job| job.id).rev().collect()
}

/// Rows that there are.
async fn rows(store: &Store) -> (u32, u32, u32) {
    let sql = "SELECT (SELECT count(*) FROM results), (SELECT count(*) FROM outputs), \
               (SELECT count(*) FROM forgotten)";
    let read = |reader: &rusqlite::Connection| {
        reader.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    };
    store.jobs().read(read).await.unwrap()
}

#[tokio::test]
async fn old_results_make_room_for_new_ones() {
    let (time, bytes) = (None, 250_000);
    let store = with_three_jobs(Keep { time, bytes }).await;
    // Another job is running; it is not forgotten, whatever its age.
    let running = new_job(2, Payload::EMPTY);
    store.insert_job(id(0), &running).await.unwrap();
    assert_eq!(rows(&store).await, (3, 6, 0));
    assert_eq!(store.jobs().clean(0).await.unwrap(), 1);
    assert_eq!(known(&store).await, [id(0), id(2), id(3)]);
    assert_eq!(rows(&store).await, (2, 4, 0), "nothing is left of it");
    assert!(store.jobs().bytes() < 250_000);
    assert_eq!(store.jobs().by_key("1").await, None);
    assert_eq!(store.jobs().clean(0).await.unwrap(), 0);
    assert_eq!(store.jobs().task(id(3), 0).await.unwrap().stdout, LARGE[..]);
}

#[tokio::test]
async fn jobs_are_kept_for_a_time() {
    let time = Some(Duration::from_secs(3_600));
    let bytes = u64::MAX;
    let store = with_three_jobs(Keep { time, bytes }).await;
    let now = crate::clock::system_unix_ms();
    assert_eq!(store.jobs().clean(now).await.unwrap(), 0);
    assert_eq!(store.jobs().clean(now + 3_590_000).await.unwrap(), 0);
    assert_eq!(store.jobs().clean(now + 3_700_000).await.unwrap(), 3);
    assert_eq!(known(&store).await, []);
    assert_eq!(store.jobs().bytes(), 0);
}

#[tokio::test]
async fn what_is_being_read_stays_until_it_has_been() {
    let (time, bytes) = (None, 0);
    let store = with_three_jobs(Keep { time, bytes }).await;
    let reader = store.jobs().subscribe(id(2)).unwrap();
    assert_eq!(store.jobs().clean(0).await.unwrap(), 2);
    assert_eq!(known(&store).await, [id(2)]);
    assert_eq!(store.jobs().completed(id(2), 0, 9).await.len(), 1);
    drop(reader);
    assert_eq!(store.jobs().clean(0).await.unwrap(), 1);
    assert!(store.jobs().subscribe(id(2)).is_none());
    assert_eq!(rows(&store).await, (0, 0, 0));
}

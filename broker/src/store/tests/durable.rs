//! What is in the folder is there again.

use wasipool_shared::capacity::ProviderKind;

use super::*;
use crate::store::sql::schema;

fn settings(folder: &tempfile::TempDir) -> StoreSettings {
    StoreSettings {
        folder: Some(folder.path().to_owned()),
        ..StoreSettings::default()
    }
}

async fn open(folder: &tempfile::TempDir) -> Store {
    Store::open(settings(folder)).await.unwrap()
}

#[tokio::test]
async fn a_job_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let input = put(&store, b"input").await;
    let (digest, size) = (input.meta.digest, 5);
    let blob = Payload::Blob(BlobRef { digest, size });
    let new = NewJob {
        name: Some("n".into()),
        owner: u64::MAX - 1,
        priority: -7,
        idempotency_key: Some("k".into()),
        requires: Requires {
            kind: Some(ProviderKind::Browser),
            features: Features::SIMD,
        },
        ..new_job(6, blob)
    };
    store.insert_job(id(1), &new).await.unwrap();
    drop(input);
    let ended = [
        (1, TaskState::Failed, "one"),
        (4, TaskState::Succeeded, "four"),
    ];
    let ended = ended.map(|(index, state, out)| (id(1), index, record(state, out.as_bytes())));
    store.finish_tasks(ended.to_vec()).await;
    store.flush().await;
    let before = store.jobs().job(id(1)).await.unwrap();
    drop(store);

    let store = open(&folder).await;
    let mut resumable = store.take_resumable();
    assert!(store.take_resumable().is_empty());
    let job = resumable.pop().unwrap();
    assert!(resumable.is_empty() && !job.cancelled);
    let (failed, succeeded) = (Some(TaskState::Failed), Some(TaskState::Succeeded));
    let states = [None, failed, None, None, succeeded, None];
    assert_eq!(job.states, states);
    assert_eq!(store.jobs().states(id(1), 1, 4).await, states[1..5]);
    assert_eq!(format!("{:?}", job.new), format!("{new:?}"));
    let now = store.jobs().job(id(1)).await.unwrap();
    assert_eq!(format!("{now:?}"), format!("{before:?}"));
    assert_eq!(now.counts.of(TaskState::Failed), 1);
    assert_eq!(store.jobs().by_key("k").await, Some(id(1)));
    let unused = store.blobs().index.lock().blobs[&digest].is_unused();
    assert!(!unused, "the job needs it");

    // Tasks that ended keep their results, whatever comes.
    let again = (0..6).map(|index| (id(1), index, record(TaskState::Succeeded, b"again")));
    store.finish_tasks(again.collect()).await;
    store.flush().await;
    drop(store);
    let store = open(&folder).await;
    assert!(store.take_resumable().is_empty());
    let job = store.jobs().job(id(1)).await.unwrap();
    assert_eq!(job.ended(), Some(JobState::Failed));
    assert_eq!(job.counts.of(TaskState::Succeeded), 5);
    assert_eq!(store.jobs().task(id(1), 1).await.unwrap().stdout, "one");
    let order = store.jobs().completed(id(1), 0, 9).await;
    let order: Vec<_> = order.iter().map(|(index, _)| *index).collect();
    assert_eq!(order, [1, 4, 0, 2, 3, 5]);
    // A new job doesn't get an old one's place.
    store
        .insert_job(id(2), &new_job(1, Payload::EMPTY))
        .await
        .unwrap();
    assert!(store.jobs().task(id(2), 0).await.is_none());
    assert!(matches!(
        store.insert_job(id(3), &new).await,
        Err(StoreError::KeyTaken(first)) if first == id(1)
    ));
}

#[tokio::test]
async fn tasks_that_differ_are_there_again_and_equal_ones_take_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let spec = |text: &str| {
        let new = new_job(1, Payload::Inline(text.to_owned().into()));
        Arc::new(new.tasks.spec(0).unwrap())
    };
    let (common, own) = (spec(&"common".repeat(1_000)), spec("own"));
    let mut specs = vec![common; 10_000];
    specs[7_777] = own;
    let new = NewJob {
        tasks: Tasks::Each(specs),
        ..new_job(1, Payload::EMPTY)
    };
    assert!(spec::encode(&new).unwrap().len() < 40_000);
    store.insert_job(id(1), &new).await.unwrap();
    store.cancel_job(id(1)).await.unwrap();
    drop(store);
    let job = open(&folder).await.take_resumable().pop().unwrap();
    assert!(job.cancelled);
    for index in [0, 7_776, 7_777, 9_999, 10_000] {
        assert_eq!(job.new.tasks.spec(index), new.tasks.spec(index));
    }
}

#[tokio::test]
async fn large_outputs_end_a_page_early() {
    let store = in_memory(1_000).await;
    store
        .insert_job(id(1), &new_job(9, Payload::EMPTY))
        .await
        .unwrap();
    let large: &'static [u8] = Box::leak(vec![b'x'; 10 << 20].into());
    let results = (0..5).map(|index| (id(1), index, record(TaskState::Succeeded, large)));
    store.finish_tasks(results.collect()).await;
    store.flush().await;
    for filter in [TaskFilter::All, TaskFilter::Ended(TaskState::Succeeded)] {
        let page = store.jobs().tasks(id(1), filter, 1, 100).await;
        let indexes: Vec<_> = page.items.iter().map(|(index, _)| *index).collect();
        assert_eq!((indexes, page.next), (vec![1, 2], Some(3)));
    }
    assert_eq!(store.jobs().completed(id(1), 3, 100).await.len(), 2);
    assert_eq!(store.jobs().task(id(1), 4).await.unwrap().stdout, large);
}

#[tokio::test]
async fn a_folder_is_of_one_broker_and_of_no_newer_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let error = Store::open(settings(&folder)).await.unwrap_err();
    let process = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&process), "{error}");
    let newer = |writer: &rusqlite::Connection| writer.pragma_update(None, "user_version", 99);
    store.jobs().writer.change(newer).await.unwrap();
    drop(store);
    let error = Store::open(settings(&folder)).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Newer { found: 99, .. }),
        "{error}"
    );
    std::fs::write(folder.path().join("wasipool.sqlite"), [b'x'; 5_000]).unwrap();
    let error = Store::open(settings(&folder)).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign(_)), "{error}");
}

#[tokio::test]
async fn data_of_the_first_version_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = rusqlite::Connection::open(folder.path().join("wasipool.sqlite")).unwrap();
    schema::migrate(&mut first, &schema::MIGRATIONS[..1]).unwrap();
    let record = JobRecord::of(id(1), &new_job(2, Payload::EMPTY));
    let encoded = spec::encode(&new_job(2, Payload::EMPTY)).unwrap();
    sql::jobs::insert(&first, 1, &record, &encoded).unwrap();
    drop(first);
    let store = open(&folder).await;
    assert_eq!(store.take_resumable().len(), 1);
    let blob = put(&store, b"one").await;
    store.blobs().name("n", blob.meta.digest).await.unwrap();
    drop((blob, store));
    let store = open(&folder).await;
    assert!(store.blobs().resolve("n").await.is_some());
    assert_eq!(store.jobs().job(id(1)).await.unwrap().tasks, 2);
}

#[tokio::test]
async fn a_full_disk_refuses_jobs_and_loses_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let new = new_job(1, Payload::EMPTY);
    store.insert_job(id(1), &new).await.unwrap();
    // As if there were no room for another page.
    let pages = |count: u32| {
        move |writer: &rusqlite::Connection| writer.pragma_update(None, "max_page_count", count)
    };
    store.jobs().writer.change(pages(1)).await.unwrap();
    let large: &'static [u8] = Box::leak(vec![b'x'; 1 << 20].into());
    store
        .finish_tasks(vec![(id(1), 0, record(TaskState::Succeeded, large))])
        .await;
    let refused = loop {
        // The result may still be on its way.
        match store.insert_job(id(2), &new).await {
            Err(error) => break error,
            Ok(()) => store
                .jobs()
                .writer
                .change(|writer| forget_job(writer, id(2)))
                .await
                .unwrap(),
        }
    };
    assert!(matches!(refused, StoreError::DiskFull(_)), "{refused}");
    assert!(
        store
            .failure()
            .is_some_and(|reason| reason.contains("full"))
    );
    assert_eq!(store.jobs().task(id(1), 0).await, None, "nobody was told");
    // There is room again, and nobody does anything.
    let writer = store.jobs().shared.clone();
    pages(1_000_000)(&writer.database.writer()).unwrap();
    store.flush().await;
    assert_eq!(store.failure(), None);
    assert_eq!(store.jobs().task(id(1), 0).await.unwrap().stdout, large);
    store.insert_job(id(3), &new).await.unwrap();
}

fn forget_job(writer: &rusqlite::Connection, id: JobId) -> rusqlite::Result<()> {
    let sql = "DELETE FROM jobs WHERE id = ?1";
    writer.execute(sql, [id.0.to_be_bytes()])?;
    Ok(())
}

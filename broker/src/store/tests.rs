mod blobs;
mod cleaning;
mod durable;
mod owners;

use std::collections::BTreeMap;
use std::sync::Arc;

use wasipool_shared::capacity::Features;
use wasipool_shared::task::{BlobRef, Files, Payload, TaskLimits, TaskSpec};

use super::job::TaskFilter;
use super::*;
use crate::driver::{ModuleInfo, Requires, Tasks};
use crate::module::BlobKind;

async fn in_memory(stored_bytes_max: u64) -> Store {
    let settings = StoreSettings {
        stored_bytes_max,
        ..StoreSettings::default()
    };
    Store::open(settings).await.unwrap()
}

async fn put(store: &Store, bytes: &'static [u8]) -> PutBlob {
    store
        .blobs()
        .put(Bytes::from_static(bytes), BlobKind::Data, None)
        .await
        .unwrap()
}

fn new_job(tasks: u32, stdin: Payload) -> NewJob {
    let limits = TaskLimits {
        timeout_ms: 1,
        memory_bytes: 1,
        output_bytes: 1,
        artifact_bytes: 1,
    };
    let spec = TaskSpec {
        args: Vec::new(),
        env: Vec::new(),
        stdin,
        files: Files::None,
        artifacts: Vec::new(),
        limits,
        seed: None,
    };
    NewJob {
        name: None,
        module: ModuleInfo {
            reference: "m".into(),
            digest: Digest([0; 32]),
            size: 1,
            features: Features::default(),
        },
        tasks: Tasks::Count {
            n: tasks,
            spec: Arc::new(spec),
        },
        priority: 0,
        owner: 0,
        retries: 3,
        quorum: 1,
        placement_timeout_ms: 1,
        requires: Requires::default(),
        labels: BTreeMap::from([("kind".to_owned(), "test".to_owned())]),
        idempotency_key: None,
    }
}

fn record(state: TaskState, stdout: &'static [u8]) -> TaskRecord {
    TaskRecord {
        state,
        exit_code: Some(0),
        reason: None,
        stdout: Bytes::from_static(stdout),
        stderr: Bytes::new(),
        artifacts: vec![ArtifactRecord {
            path: "a".into(),
            bytes: Bytes::from_static(b"content"),
            digest: Digest::of(b"content"),
        }],
        provider: None,
        attempts: 1,
        timing: TaskTiming::default(),
        trace: Vec::new(),
        variants: Vec::new(),
    }
}

fn id(number: u128) -> JobId {
    JobId::from_parts(1_700_000_000_000, number)
}

#[tokio::test]
async fn blobs_have_names_that_move() {
    let store = in_memory(1_000).await;
    let one = put(&store, b"one").await;
    assert!(one.new && !put(&store, b"one").await.new);
    assert!(store.blobs().name("x", one.meta.digest).await.unwrap());
    assert!(!store.blobs().name("x", one.meta.digest).await.unwrap());
    let two = put(&store, b"two").await;
    assert!(store.blobs().name("x", two.meta.digest).await.unwrap());
    let (meta, _pin) = store.blobs().resolve("x").await.unwrap();
    assert_eq!(meta.digest, two.meta.digest);
    let by_digest = store.blobs().resolve(&one.meta.digest.to_string()).await;
    assert_eq!(by_digest.unwrap().0.digest, one.meta.digest);
    assert!(store.blobs().resolve("y").await.is_none());
    assert_eq!(store.blob(two.meta.digest).await.unwrap(), "two");
}

#[tokio::test]
async fn names_are_listed_in_pages() {
    let store = in_memory(1_000).await;
    let blob = put(&store, b"x").await;
    for name in ["b", "a", "c"] {
        store.blobs().name(name, blob.meta.digest).await.unwrap();
    }
    let names = |page: &BlobPage| {
        page.items
            .iter()
            .map(|item| item.name.clone())
            .collect::<Vec<_>>()
    };
    let first = store.blobs().list(None, 2).await;
    assert_eq!(
        (names(&first), first.next.as_deref()),
        (vec!["a".into(), "b".into()], Some("b"))
    );
    let second = store.blobs().list(first.next.as_deref(), 2).await;
    assert_eq!((names(&second), second.next), (vec!["c".into()], None));
}

#[tokio::test]
async fn only_what_nobody_needs_makes_room() {
    let store = in_memory(10).await;
    let named = put(&store, b"named").await;
    store.blobs().name("n", named.meta.digest).await.unwrap();
    let input = put(&store, b"in").await.meta.digest;
    let mut new = new_job(
        1,
        Payload::Blob(BlobRef {
            digest: input,
            size: 2,
        }),
    );
    new.module.digest = named.meta.digest;
    store.insert_job(id(1), &new).await.unwrap();
    let unused = put(&store, b"abc").await.meta.digest;
    let full = store
        .blobs()
        .put(Bytes::from_static(b"defgh"), BlobKind::Data, None)
        .await;
    assert!(
        matches!(full, Err(StoreError::Full { limit: 10 })),
        "{full:?}"
    );
    assert!(
        store.blob(unused).await.is_none(),
        "it had to go, though it didn't suffice"
    );
    assert!(store.blob(input).await.is_some(), "the job needs it");
    store
        .finish_tasks(vec![(id(1), 0, record(TaskState::Succeeded, b""))])
        .await;
    store.flush().await;
    put(&store, b"defgh").await;
    assert!(store.blob(input).await.is_none(), "the job has ended");
    assert!(store.blob(named.meta.digest).await.is_some());
    drop(named);
    assert!(store.blobs().delete_name("n").await.unwrap());
    assert!(!store.blobs().delete_name("n").await.unwrap());
    assert_eq!(store.blobs().stored_bytes(), 5, "gone with its name");
}

#[tokio::test]
async fn uploads_are_limited() {
    let settings = StoreSettings {
        blob_bytes_max: 4,
        ..StoreSettings::default()
    };
    let store = Store::open(settings).await.unwrap();
    let mut upload = store.blobs().upload();
    upload.write(b"four").await.unwrap();
    let error = upload.write(b"!").await.unwrap_err();
    assert!(matches!(error, StoreError::BlobTooLarge { limit: 4 }));
}

#[tokio::test]
async fn a_job_counts_its_results_and_ends() {
    let store = in_memory(1_000).await;
    store
        .insert_job(id(1), &new_job(3, Payload::EMPTY))
        .await
        .unwrap();
    let mut changes = store.jobs().subscribe(id(1)).unwrap();
    store
        .finish_tasks(vec![
            (id(1), 2, record(TaskState::Succeeded, b"two")),
            (id(1), 2, record(TaskState::Failed, b"again")),
            (id(1), 7, record(TaskState::Failed, b"no such task")),
            (id(9), 0, record(TaskState::Failed, b"no such job")),
            (id(1), 0, record(TaskState::Trapped, b"zero")),
        ])
        .await;
    store.flush().await;
    changes.changed().await.unwrap();
    let job = store.jobs().job(id(1)).await.unwrap();
    assert_eq!((job.counts.ended(), job.ended()), (2, None));
    assert_eq!(
        store.jobs().task(id(1), 2).await,
        Some(record(TaskState::Succeeded, b"two"))
    );
    assert_eq!(store.jobs().task(id(1), 1).await, None);
    let completed = store.jobs().completed(id(1), 0, 10).await;
    assert_eq!(
        completed
            .iter()
            .map(|(index, _)| *index)
            .collect::<Vec<_>>(),
        [2, 0]
    );
    let open = store.jobs().tasks(id(1), TaskFilter::Open, 0, 10).await;
    assert_eq!(open.items, [(1, None)]);
    let page = store.jobs().tasks(id(1), TaskFilter::All, 0, 2).await;
    assert_eq!((page.items.len(), page.next), (2, Some(2)));
    store
        .finish_tasks(vec![(id(1), 1, record(TaskState::Succeeded, b""))])
        .await;
    store.flush().await;
    assert_eq!(
        store.jobs().job(id(1)).await.unwrap().ended(),
        Some(JobState::Failed)
    );
}

#[tokio::test]
async fn jobs_are_listed_newest_first_and_filtered() {
    let store = in_memory(1_000).await;
    for number in 1..=3 {
        store
            .insert_job(id(number), &new_job(1, Payload::EMPTY))
            .await
            .unwrap();
    }
    let page = store.jobs().list(&JobFilter::default(), None, 2).await;
    assert_eq!(
        page.items.iter().map(|job| job.id).collect::<Vec<_>>(),
        [id(3), id(2)]
    );
    let page = store.jobs().list(&JobFilter::default(), page.next, 2).await;
    assert_eq!((page.items.len(), page.next), (1, None));
    for (value, found) in [(None, 3), (Some("test"), 3), (Some("other"), 0)] {
        let labels = vec![("kind".to_owned(), value.map(str::to_owned))];
        let page = store.jobs().list(&JobFilter { labels }, None, 9).await;
        assert_eq!(page.items.len(), found);
    }
}

#[tokio::test]
async fn a_key_is_one_job_only() {
    let store = in_memory(1_000).await;
    let new = NewJob {
        idempotency_key: Some("k".into()),
        ..new_job(1, Payload::EMPTY)
    };
    store.insert_job(id(1), &new).await.unwrap();
    let taken = store.insert_job(id(2), &new).await;
    assert!(matches!(taken, Err(StoreError::KeyTaken(first)) if first == id(1)));
    assert_eq!(store.jobs().by_key("k").await, Some(id(1)));
}

//! A whole job from its fields.

use std::sync::Arc;

use wasipool_shared::capacity::Features;

use super::RequestError;
use super::fields::{JobFields, RequiresField, TaskFields};
use super::resolve::{Archives, Place, Resolved, Resolver, description_bytes, within};
use super::units::parse_feature;
use crate::driver::{NewJob, Requires, Tasks};
use crate::store::Store;

/// Tries of a task beyond the first when its providers are lost.
pub const RETRIES_DEFAULT: u32 = 3;
/// The most of them.
pub(super) const RETRIES_MAX: u32 = 100;
/// The most equal results that a task may need.
pub(super) const QUORUM_MAX: u32 = 16;
/// Time that tasks wait for a provider that could run them, in milliseconds.
pub const PLACEMENT_TIMEOUT_MS_DEFAULT: u64 = 10 * 60 * 1_000;
/// The longest: a week.
pub(super) const PLACEMENT_TIMEOUT_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Labels of a job.
pub(super) const LABELS_MAX: usize = 64;
/// Bytes of a job's name, of a label and its value, each.
pub(super) const TEXT_BYTES_MAX: usize = 256;
/// Bytes that the descriptions of all tasks of a job may take: what `defaults`
/// say is in each of them.
pub(crate) const DESCRIPTIONS_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Tasks after which others get their turn.
const TURN: usize = 256;

/// The job that `fields` describe.
///
/// # Errors
/// If it breaks a rule or names what isn't there.
pub async fn resolve_job(
    mut fields: JobFields,
    idempotency_key: Option<String>,
    owner: u64,
    tasks_max: u32,
    store: &Store,
    archives: &Archives,
) -> Result<(NewJob, Resolved), RequestError> {
    let missing = || RequestError::Invalid("module: say which module to run".to_owned());
    let reference = fields.module.take().ok_or_else(missing)?;
    check_texts(&fields)?;
    let mut resolver = Resolver::new(store, archives, owner);
    let module = resolver.module(&reference).await?;
    let argv0 = argv0(&reference).to_owned();
    let seed = match fields.deterministic.take() {
        Some(deterministic) => {
            let missing = || RequestError::at("deterministic", "the seed is missing");
            Some(deterministic.seed.ok_or_else(missing)?)
        }
        None => None,
    };
    let mut defaults = fields.defaults.take().unwrap_or_default();
    resolver.store_large(&mut defaults).await?;
    let nothing = TaskFields::default();
    let mut common = resolver
        .task(Place::Defaults, defaults.clone(), &nothing, &argv0)
        .await?;
    common.seed = seed;
    let common = Arc::new(common);
    let tasks = match (fields.tasks.take(), fields.count) {
        (None, Some(n)) => {
            within("count", n, 1..=tasks_max, "")?;
            Tasks::Count { n, spec: common }
        }
        (Some(tasks), None) => {
            let count = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
            within("tasks (their number)", count, 1..=tasks_max, "")?;
            let mut specs = Vec::with_capacity(tasks.len());
            let mut bytes = 0;
            for (index, own) in tasks.into_iter().enumerate() {
                if index % TURN == TURN - 1 {
                    tokio::task::yield_now().await;
                }
                if own.is_empty() {
                    specs.push(common.clone());
                    continue;
                }
                let mut spec = resolver
                    .task(Place::Task(index), own, &defaults, &argv0)
                    .await?;
                spec.seed = seed;
                bytes += description_bytes(&spec);
                if bytes > DESCRIPTIONS_BYTES_MAX {
                    return Err(RequestError::TooLarge(format!(
                        "tasks: with the defaults they take more than {DESCRIPTIONS_BYTES_MAX} bytes: \
                         make several jobs"
                    )));
                }
                specs.push(Arc::new(spec));
            }
            Tasks::Each(specs)
        }
        (None, None) => {
            let problem = "one of \"tasks\" and \"count\" is needed".to_owned();
            return Err(RequestError::Invalid(problem));
        }
        (Some(_), Some(_)) => {
            let problem = "\"tasks\" and \"count\" exclude each other".to_owned();
            return Err(RequestError::Invalid(problem));
        }
    };
    let priority = within("priority", fields.priority.unwrap_or(0), -100..=100, "")?;
    let timeout_ms = fields
        .placement_timeout
        .map_or(PLACEMENT_TIMEOUT_MS_DEFAULT, |timeout| timeout.ms);
    let retries = fields.retries.unwrap_or(RETRIES_DEFAULT);
    let job = NewJob {
        name: fields.name,
        module,
        tasks,
        priority: i8::try_from(priority).unwrap_or(0),
        owner,
        retries: within("retries", retries, 0..=RETRIES_MAX, "")?,
        quorum: within("quorum", fields.quorum.unwrap_or(1), 1..=QUORUM_MAX, "")?,
        placement_timeout_ms: within(
            "placement_timeout",
            timeout_ms,
            0..=PLACEMENT_TIMEOUT_MS_MAX,
            "milliseconds",
        )?,
        requires: requires(fields.requires.unwrap_or_default())?,
        labels: fields.labels.unwrap_or_default(),
        idempotency_key,
    };
    Ok((job, resolver.finish()))
}

/// What a guest is told that its program is called: the module's name, if it has
/// one.
#[must_use]
pub fn argv0(reference: &str) -> &str {
    if reference.starts_with("sha256:") {
        "module.wasm"
    } else {
        reference
    }
}

fn requires(fields: RequiresField) -> Result<Requires, RequestError> {
    let mut features = Features::default();
    for (index, name) in fields.features.unwrap_or_default().iter().enumerate() {
        let feature = parse_feature(name)
            .map_err(|problem| RequestError::at(&format!("requires.features[{index}]"), problem))?;
        features = features.union(feature);
    }
    Ok(Requires {
        kind: fields.kind,
        features,
    })
}

fn check_texts(fields: &JobFields) -> Result<(), RequestError> {
    let check = |place: &str, text: &str| {
        let bytes = text.len();
        if bytes > TEXT_BYTES_MAX {
            let problem = format_args!("{bytes} bytes are over the limit of {TEXT_BYTES_MAX}");
            return Err(RequestError::at(place, problem));
        }
        Ok(())
    };
    check("name", fields.name.as_deref().unwrap_or_default())?;
    let labels = fields.labels.iter().flatten();
    if labels.clone().count() > LABELS_MAX {
        let problem = format_args!("more than {LABELS_MAX} labels are not taken");
        return Err(RequestError::at("labels", problem));
    }
    for (name, value) in labels {
        check("labels", name)?;
        check("labels", value)?;
    }
    Ok(())
}

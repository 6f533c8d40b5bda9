//! The types of the API as TypeScript declarations, for the page's scripts: they
//! are made from the Rust types, so that none is written twice.

use ts_rs::{Config, TS};

use super::events::{JobsEvent, ProvidersEvent, StatsEvent, TaskRun, TasksEvent};
use super::*;
use crate::transport::TransportKind;

const KEPT: &str = include_str!("../../../provider-browser/types/api.d.ts");
const HEAD: &str = "\
// Made by scripts/page-types from the types of shared/src/api; not to be changed
// by hand.
";

/// A declaration, with its comment.
fn declare<T: TS>(config: &Config) -> String {
    let comment = T::docs().unwrap_or_default();
    format!("\n{comment}export {}\n", T::decl(config))
}

/// A name for one of those texts.
fn one_of(name: &str, comment: &str, texts: &[&str]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    let any = texts.join(" | ");
    format!("\n/** {comment} */\nexport type {name} = {any};\n")
}

/// All of it, without blanks at the ends of lines.
fn declarations() -> String {
    // Numbers of 64 bits are no more than 2^53 in practice, and JSON.parse gives
    // numbers whatever they are.
    let config = &Config::new().with_large_int("number");
    [
        HEAD.to_owned(),
        one_of("TaskStateName", "What a task can be.", &TASK_STATES),
        one_of("JobStateName", "What a job can be.", &JOB_STATES),
        one_of(
            "ProviderStateName",
            "What a provider can be.",
            &PROVIDER_STATES,
        ),
        declare::<JobId>(config),
        declare::<ProviderId>(config),
        declare::<Digest>(config),
        declare::<ProviderKind>(config),
        declare::<TransportKind>(config),
        declare::<Problem>(config),
        declare::<Page<()>>(config),
        declare::<Blob>(config),
        declare::<Module>(config),
        declare::<Memory>(config),
        declare::<Job>(config),
        declare::<JobModule>(config),
        declare::<Task>(config),
        declare::<Artifact>(config),
        declare::<Provider>(config),
        declare::<Timing>(config),
        declare::<Variant>(config),
        declare::<VariantArtifact>(config),
        declare::<Trace>(config),
        declare::<TraceStep>(config),
        declare::<Transport>(config),
        declare::<CertificateHash>(config),
        declare::<Ticket>(config),
        declare::<PoolProvider>(config),
        declare::<Stats>(config),
        declare::<StatsEvent>(config),
        declare::<ProvidersEvent>(config),
        declare::<JobsEvent>(config),
        declare::<TaskRun>(config),
        declare::<TasksEvent>(config),
    ]
    .concat()
    .lines()
    .map(|line| format!("{}\n", line.trim_end()))
    .collect()
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "scripts/page-types takes it from there"
)]
fn the_pages_types_are_those_of_the_api() {
    let made = declarations();
    if std::env::var_os("PRINT_TYPES").is_some() {
        println!("<<<\n{made}>>>");
        return;
    }
    assert!(
        KEPT == made,
        "types/api.d.ts is old: run scripts/page-types"
    );
}

//! These types as TypeScript declarations, for the scripts of the page: they are
//! made from the Rust types, so that none is written twice.

use ts_rs::{Config, TS};

use super::{Command, Pause, Problem, Running, Settings, Slot, State, Status, Surroundings};

const KEPT: &str = include_str!("../../types/worker.d.ts");
const HEAD: &str = "\
// Made by scripts/page-types from the types of src/page.rs; not to be changed by
// hand.
";

/// A declaration, with its comment.
fn declare<T: TS>(config: &Config) -> String {
    let comment = T::docs().unwrap_or_default();
    format!("\n{comment}export {}\n", T::decl(config))
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "scripts/page-types takes it from there"
)]
fn the_pages_types_are_those_of_its_worker() {
    let config = &Config::new().with_large_int("number");
    let made = [
        HEAD.to_owned(),
        declare::<Command>(config),
        declare::<Settings>(config),
        declare::<Surroundings>(config),
        declare::<Pause>(config),
        declare::<State>(config),
        declare::<Status>(config),
        declare::<Slot>(config),
        declare::<Running>(config),
        declare::<Problem>(config),
    ];
    let lines = made.concat();
    let lines = lines.lines().map(|line| format!("{}\n", line.trim_end()));
    let made: String = lines.collect();
    if std::env::var_os("PRINT_TYPES").is_some() {
        println!("<<<\n{made}>>>");
        return;
    }
    assert!(
        KEPT == made,
        "types/worker.d.ts is old: run scripts/page-types"
    );
}

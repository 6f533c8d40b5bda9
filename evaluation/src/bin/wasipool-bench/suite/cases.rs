//! What is measured, against what, and the figures to reach.

use serde::Serialize;

use super::Outcome;
use super::floor::{Floor, Over};
use super::pool::{ProviderKind, Setup};
use super::reading::{Api, Load};

/// Cases that share a pool.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// The pool.
    pub(crate) setup: Setup,
    /// Modules that must be there.
    pub(crate) guests: &'static [&'static str],
    /// The cases.
    pub(crate) cases: Vec<Case>,
}

/// One figure.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// What is done.
    pub(crate) name: String,
    /// Of the values.
    pub(crate) unit: &'static str,
    /// Whether more or less is better.
    pub(crate) better: Better,
    /// What is done, for the program.
    pub(crate) load: Load,
    /// What it is held against.
    pub(crate) floor: Option<Floor>,
    /// The figure to reach.
    pub(crate) goal: Option<f64>,
    /// Whether it belongs to a short run.
    pub(crate) quick: bool,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// More.
    More,
    /// Less.
    Less,
}

/// Sizes of simulated pools.
const SCALES: [(&str, usize); 5] = [
    ("scale-1", 1),
    ("scale-10", 10),
    ("scale-100", 100),
    ("scale-1000", 1_000),
    ("scale-5000", 5_000),
];

const RATE: &str = "tasks/s";
const SPEED: &str = "MB/s";
const TIME: &str = "ms";
/// About what a task and its outcome are on the wire.
const SMALL: usize = 100;
const MIB_16: usize = 16 * 1024 * 1024;
/// A tour of ten cities, by brute force: some 50 ms of computing.
const TSP: &[&str] = &["rand", "10", "--seed", "1"];

impl Case {
    fn more(name: impl Into<String>, unit: &'static str, load: Load, floor: Floor) -> Self {
        let (name, floor) = (name.into(), Some(floor));
        Self {
            name,
            unit,
            better: Better::More,
            load,
            floor,
            goal: None,
            quick: false,
        }
    }

    fn less(name: impl Into<String>, load: Load, floor: Floor) -> Self {
        Self {
            unit: TIME,
            better: Better::Less,
            ..Self::more(name, TIME, load, floor)
        }
    }

    fn goal(self, goal: f64) -> Self {
        Self {
            goal: Some(goal),
            ..self
        }
    }

    fn quick(self) -> Self {
        Self {
            quick: true,
            ..self
        }
    }

    /// Nothing measured yet.
    pub(crate) fn outcome(&self, group: &'static str) -> Outcome {
        Outcome {
            group,
            name: self.name.clone(),
            unit: self.unit,
            floor: self.floor.as_ref().map_or("", Floor::name),
            better: self.better,
            readings: Vec::new(),
            floors: Vec::new(),
            goal: self.goal,
        }
    }
}

impl Floor {
    /// As the table shows it.
    fn name(&self) -> &'static str {
        match self {
            Self::Http { .. } | Self::HttpAtRate { .. } => "HTTP alone",
            Self::HttpToWasm { .. } => "HTTP to wasm in one process",
            Self::Wasm | Self::Computing { .. } => "wasmtime alone",
            Self::Echo { over, .. } | Self::EchoTime { over, .. } => match over {
                Over::WebTransport => "WebTransport echo",
                Over::Quic => "QUIC echo",
            },
        }
    }
}

/// All groups, in the order in which they run.
pub(crate) fn groups() -> Vec<Group> {
    let mut groups = vec![run(), jobs(), durable(), tab(), earlier()];
    groups.extend(
        SCALES
            .iter()
            .map(|(name, providers)| scale(name, *providers)),
    );
    groups
}

const NATIVE: Setup = Setup {
    durable: false,
    provider: ProviderKind::Native,
    slots: 2,
};

fn run() -> Group {
    let at = |connections, goal| {
        let name = format!("/v1/run no-op, {connections} at a time");
        let (load, floor) = (Load::Run { connections }, Floor::HttpToWasm { connections });
        Case::more(name, RATE, load, floor).goal(goal)
    };
    let rate = |rate: f64| {
        let name = format!("/v1/run no-op, {rate} a second: p99");
        Case::less(name, Load::RunAtRate { rate }, Floor::HttpAtRate { rate })
    };
    let http = Case::more(
        "/v1/run no-op, 64 at a time",
        RATE,
        Load::Run { connections: 64 },
        Floor::Http { connections: 64 },
    );
    let computing = Load::Computing { arguments: TSP };
    let cases = vec![
        at(1, 4_000.0).quick(),
        response_time(Over::WebTransport).goal(0.25),
        response_time(Over::Quic).goal(0.25),
        at(8, 12_000.0),
        at(16, 22_000.0),
        at(64, 35_000.0).quick(),
        http,
        at(256, 35_000.0),
        rate(1_000.0).quick(),
        rate(10_000.0),
        Case::less(
            "tsp rand 10: run time",
            computing,
            Floor::Computing { arguments: TSP },
        )
        .quick(),
        bulk(Over::WebTransport).goal(150.0).quick(),
        bulk(Over::Quic),
    ];
    Group {
        name: "run",
        setup: NATIVE,
        guests: &["noop", "cat", "tsp"],
        cases,
    }
}

/// 16 MiB through `cat` and back.
fn bulk(over: Over) -> Case {
    let floor = Floor::Echo {
        bytes: MIB_16,
        over,
    };
    let load = Load::Bytes { bytes: MIB_16 };
    Case::more("16 MiB in and out, each way", SPEED, load, floor)
}

/// The median response time of single runs.
fn response_time(over: Over) -> Case {
    let floor = Floor::EchoTime { bytes: SMALL, over };
    let load = Load::RunTime { connections: 1 };
    Case::less("/v1/run no-op, 1 at a time: p50", load, floor)
}

fn jobs_of(tasks: u64, at_a_time: usize) -> Case {
    let name = format!("jobs of {tasks} no-ops, {at_a_time} at a time");
    Case::more(name, RATE, Load::Jobs { tasks, at_a_time }, Floor::Wasm)
}

fn jobs() -> Group {
    let lines = Load::Lines { tasks: 100_000 };
    let cases = vec![
        jobs_of(100, 4),
        jobs_of(10_000, 1).goal(150_000.0).quick(),
        Case::more(
            "a job of 100,000 lines through cat",
            RATE,
            lines,
            Floor::Wasm,
        )
        .goal(60_000.0),
    ];
    Group {
        name: "jobs",
        setup: NATIVE,
        guests: &["noop", "cat"],
        cases,
    }
}

fn durable() -> Group {
    let cases = vec![jobs_of(100, 4), jobs_of(10_000, 1).goal(60_000.0).quick()];
    Group {
        name: "durable",
        setup: Setup {
            durable: true,
            ..NATIVE
        },
        guests: &["noop"],
        cases,
    }
}

fn tab() -> Group {
    let run = |connections| {
        let name = format!("/v1/run no-op, {connections} at a time");
        Case::more(
            name,
            RATE,
            Load::Run { connections },
            Floor::HttpToWasm { connections },
        )
    };
    let computing = Load::Computing { arguments: TSP };
    let cases = vec![
        run(1).goal(830.0),
        response_time(Over::WebTransport).goal(1.2),
        run(64),
        jobs_of(10_000, 1).goal(5_000.0).quick(),
        Case::less(
            "tsp rand 10: run time",
            computing,
            Floor::Computing { arguments: TSP },
        ),
        bulk(Over::WebTransport).goal(45.0),
    ];
    let setup = Setup {
        provider: ProviderKind::Tab,
        ..NATIVE
    };
    Group {
        name: "tab",
        setup,
        guests: &["noop", "cat", "tsp"],
        cases,
    }
}

fn earlier() -> Group {
    let at = |name: &str, api, connections| {
        let name = format!("{name}, no-op, {connections} at a time");
        let load = Load::Earlier { api, connections };
        Case::more(name, RATE, load, Floor::HttpToWasm { connections })
    };
    let cases = vec![
        at("thesis API", Api::Thesis, 1),
        at("thesis API", Api::Thesis, 64),
        at("Connect API", Api::Connect, 1),
        at("Connect API", Api::Connect, 64),
        at("Connect API", Api::Connect, 256),
    ];
    Group {
        name: "earlier",
        setup: NATIVE,
        guests: &["noop"],
        cases,
    }
}

/// The broker with simulated providers: what its size costs a pool.
fn scale(name: &'static str, providers: usize) -> Group {
    let run = Case::more(
        "/v1/run no-op, 64 at a time",
        RATE,
        Load::Run { connections: 64 },
        Floor::Http { connections: 64 },
    );
    let without_floor = |name: &str, unit, better, load| Case {
        floor: None,
        unit,
        better,
        ..Case::more(name, unit, load, Floor::Wasm)
    };
    let load = Load::Jobs {
        tasks: 10_000,
        at_a_time: 1,
    };
    let memory = Load::SessionMemory { providers };
    // Of a few sessions these say nothing: what is measured is everything else.
    let when = |many: bool, goal| many.then_some(goal);
    let cases = vec![
        Case {
            goal: when(providers >= 1_000, 80.0),
            ..without_floor("memory for a session", "kB", Better::Less, memory)
        },
        Case {
            goal: when(providers >= 1_000, 800.0),
            ..without_floor("joins", "joins/s", Better::More, Load::Joins)
        },
        Case {
            goal: when(providers >= 5_000, 6.0),
            ..without_floor("idle, % of a processor", "%", Better::Less, Load::Idle)
        },
        run,
        without_floor("jobs of 10000 no-ops", RATE, Better::More, load),
    ];
    let provider = ProviderKind::Swarm(providers);
    Group {
        name,
        setup: Setup { provider, ..NATIVE },
        guests: &["noop"],
        cases,
    }
}

//! Whole pools of real processes, to be tested from outside: a broker, native
//! providers, headless Chromium tabs, and a client of the HTTP API.
//!
//! The tests themselves are in `tests/`; nothing in here knows the inside of
//! the programs.
//!
//! # Layout
//!
//! From the bottom up:
//! - [`wait`]: polls for a condition until a deadline
//! - [`programs`]: where the programs, the guests and the browser are
//! - [`process`]: one child process with its logs, killed when dropped; [`usage`]: what
//!   it has used
//! - [`model`]: the API's JSON as types; [`client`]: the API as methods, on the
//!   [`http`] of it
//! - [`pool`]: a broker with its providers
//! - [`job_file`]: runs a job file of the guests
//! - [`scenario`]: what a test runs in: a pool, a time limit, the logs of a
//!   failure

pub mod client;
pub mod http;
pub mod job_file;
pub mod model;
pub mod pool;
pub mod process;
pub mod programs;
pub mod scenario;
pub mod usage;
pub mod wait;

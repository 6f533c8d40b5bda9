//! `json N [ROUNDS]` writes N orders as JSON, reads them again, adds up what each
//! customer spent, and writes that; so often as ROUNDS says. Prints the customer
//! who spent the most, and the bytes read.

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    id: u64,
    customer: String,
    lines: Vec<Line>,
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    article: String,
    count: u32,
    price: f64,
}

fn main() -> ExitCode {
    let number = |at: usize| env::args().nth(at).and_then(|arg| arg.parse::<u64>().ok());
    let Some(orders) = number(1) else {
        eprintln!("usage: json N [ROUNDS]");
        return ExitCode::from(2);
    };
    match run(orders, number(2).unwrap_or(1)) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(orders: u64, rounds: u64) -> serde_json::Result<String> {
    let orders: Vec<Order> = (0..orders).map(order).collect();
    let mut bytes = 0;
    let mut spent = String::new();
    for _ in 0..rounds {
        let text = serde_json::to_string(&orders)?;
        bytes += text.len();
        spent = serde_json::to_string(&totals(&serde_json::from_str::<Vec<Order>>(&text)?))?;
    }
    let totals: BTreeMap<String, f64> = serde_json::from_str(&spent)?;
    let most = totals.iter().max_by(|one, other| one.1.total_cmp(other.1));
    Ok(match most {
        Some((customer, total)) => format!("{customer} {total:.2} {bytes}"),
        None => format!("nobody 0.00 {bytes}"),
    })
}

fn totals(orders: &[Order]) -> BTreeMap<&str, f64> {
    let mut totals = BTreeMap::new();
    for order in orders {
        let lines = order.lines.iter();
        let sum: f64 = lines.map(|line| f64::from(line.count) * line.price).sum();
        *totals.entry(order.customer.as_str()).or_default() += sum;
    }
    totals
}

/// An order that depends on its number alone.
fn order(id: u64) -> Order {
    let line = |at: u64| Line {
        article: format!("article \"{}\"", (id * 31 + at * 7) % 997),
        count: (id + at) as u32 % 9 + 1,
        price: ((id * 17 + at * 5) % 1_000) as f64 / 8.0,
    };
    Order {
        id,
        customer: format!("customer {}", id * 7919 % 257),
        lines: (0..id % 5 + 1).map(line).collect(),
        note: (id % 3 == 0).then(|| "ring twice\n\u{2014} then wait".to_owned()),
    }
}

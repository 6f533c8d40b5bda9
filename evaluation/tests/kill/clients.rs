//! Clients that submit and read without pause, whatever happens to the broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::task::JoinSet;
use wasipool_evaluation::client::Client;
use wasipool_evaluation::http::Reply;
use wasipool_evaluation::model::Job;

use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::random::Random;

const SUBMITTERS: u64 = 8;
const READERS: u64 = 2;
/// Before a request is sent again.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Clients {
    tasks: JoinSet<anyhow::Result<()>>,
    stopping: Arc<AtomicBool>,
}

struct One {
    client: Client,
    ledger: Arc<Ledger>,
    random: Random,
    stopping: Arc<AtomicBool>,
}

impl Clients {
    pub(crate) fn start(client: &Client, ledger: &Arc<Ledger>, random: &mut Random) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for number in 0..SUBMITTERS + READERS {
            let one = One {
                client: client.clone(),
                ledger: ledger.clone(),
                random: Random(random.next()),
                stopping: stopping.clone(),
            };
            if number < SUBMITTERS {
                tasks.spawn(one.submit(number));
            } else {
                tasks.spawn(one.read());
            }
        }
        Self { tasks, stopping }
    }

    /// Lets each end what it does; the first that found something wrong says so.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stopping.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

impl One {
    fn goes_on(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed)
    }

    async fn submit(mut self, number: u64) -> anyhow::Result<()> {
        for nth in 0.. {
            if !self.goes_on() {
                break;
            }
            let plan = Plan::random(format!("job-{number}-{nth}"), &mut self.random);
            // A third without a key: sent once, whatever comes of it.
            let resent = self.random.below(3) > 0;
            // Half of them wait, so that not too many jobs gather.
            let waits = self.random.below(2) == 0;
            self.ledger.sent(&plan);
            while self.send(&plan, resent, waits).await?.is_err() {
                self.ledger.broken();
                tokio::time::sleep(PAUSE).await;
                if !resent {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Sends a job once; inner errors are those of the connection.
    async fn send(
        &self,
        plan: &Plan,
        keyed: bool,
        waits: bool,
    ) -> anyhow::Result<Result<(), anyhow::Error>> {
        let mut request = self
            .client
            .request(Method::POST, "/v1/jobs")
            .json(&plan.request());
        if keyed {
            request = request.header("idempotency-key", &plan.name);
        }
        if waits {
            request = request.query("wait", "5s");
        }
        let reply = match request.send().await {
            Ok(reply) => reply,
            Err(broken) => return Ok(Err(broken)),
        };
        match reply.status {
            StatusCode::OK | StatusCode::ACCEPTED => self.accepted(plan, &reply)?,
            // It was about to end.
            StatusCode::SERVICE_UNAVAILABLE => return Ok(Err(anyhow::anyhow!("{reply}"))),
            _ => anyhow::bail!("{reply}"),
        }
        Ok(Ok(()))
    }

    fn accepted(&self, plan: &Plan, reply: &Reply) -> anyhow::Result<()> {
        let job: Job = reply.json()?;
        self.ledger.accepted(plan, &job)?;
        if reply.status == StatusCode::OK {
            let whole: serde_json::Value = reply.json()?;
            let results = whole["results"].as_array().cloned().unwrap_or_default();
            anyhow::ensure!(results.len() as u64 == u64::from(plan.tasks), "{reply}");
            self.ledger.read(&job.id, results)?;
        }
        Ok(())
    }

    async fn read(mut self) -> anyhow::Result<()> {
        while self.goes_on() {
            let Some(id) = self.ledger.any_accepted(&mut self.random) else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let path = format!("/v1/jobs/{id}/results");
            match self.client.request(Method::GET, &path).send().await {
                Ok(reply) => {
                    anyhow::ensure!(reply.status == StatusCode::OK, "{reply}");
                    self.ledger.read_lines(&id, &reply.text())?;
                }
                Err(_) => {
                    self.ledger.broken();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Ok(())
    }
}

//! From the page's command to the last session.

use std::rc::Rc;

use wasipool_shared::backoff::Backoff;
use wasipool_shared::capacity::ProviderKind;
use wasipool_shared::session::{CloseReason, Config, Session};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use super::Event;
use super::alarm::Alarm;
use super::executor::Executor;
use super::failure::Failure;
use super::measure::{Measured, random};
use super::reach::Reach;
use super::serving::{House, Serving};
use super::wake::Wake;
use crate::blobs::Blobs;
use crate::js::{monotonic_us, scope, unix_ms};
use crate::mailbox::Mailbox;
use crate::page::{Command, State, Status};
use crate::wishes::Wishes;
use crate::{broker, offer};

/// How often the page is told what goes on, in microseconds.
const PUBLISH_US: f64 = 250_000.0;
/// Waits between tries to connect, in milliseconds: the first, the longest.
const RETRY_MS: (u32, u32) = (500, 30_000);

/// Takes commands of the page from now on: see [`Command`].
#[wasm_bindgen]
#[expect(unreachable_pub, reason = "wasm-bindgen exports only what is public")]
pub fn session_main() {
    let mailbox = Mailbox::default();
    let commands = mailbox.clone();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let text = event.data().as_string().unwrap_or_default();
        match serde_json::from_str(&text) {
            Ok(command) => commands.post(Event::Page(command)),
            // The page is of the same build: this is a defect, not a case.
            Err(error) => wasm_bindgen::throw_str(&error.to_string()),
        }
    });
    scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    let online = mailbox.clone();
    let on_online = Closure::<dyn FnMut()>::new(move || online.post(Event::Woke));
    scope().set_ononline(Some(on_online.as_ref().unchecked_ref()));
    on_online.forget();
    spawn_local(live(mailbox));
}

async fn live(mailbox: Mailbox<Event>) {
    let house = House {
        blobs: Blobs::open().await,
        executor: Executor::new(mailbox.clone()),
        status: Status::default(),
        mailbox: mailbox.clone(),
        wishes: Wishes::default(),
        measured: None,
    };
    let mut life = Life {
        house,
        alarm: Alarm::new(mailbox.clone()),
        wake: Wake::new(unix_ms()),
        sessions: 0,
        reach: Reach::new(),
        told_us: 0.0,
    };
    loop {
        match mailbox.take().await {
            Event::Page(command) => {
                life.house.obey(&command, &mut Vec::new());
                if let Command::Start { name, token, .. } = command {
                    life.provide(&name, &token).await;
                }
            }
            // Late news of what is over.
            other => life.keep_house(other),
        }
    }
}

struct Life {
    house: House,
    alarm: Alarm,
    wake: Wake,
    /// Sessions so far: tells what comes from which.
    sessions: u32,
    reach: Reach,
    /// When the page was told last.
    told_us: f64,
}

impl Life {
    /// Is a provider until the page or the broker doesn't want it any more.
    async fn provide(&mut self, name: &str, token: &str) {
        let name = offer::name(name, random());
        let wishes = &self.house.wishes;
        self.house.status = Status {
            name,
            slots: wishes.slots(),
            paused: wishes.pause(),
            ..Status::default()
        };
        self.publish();
        let measured = match self.measure().await {
            Ok(measured) => measured,
            Err(error) => return self.end(State::Failed, &error),
        };
        let capacity = measured.capacity(self.house.wishes.slots());
        let status = &mut self.house.status;
        status.speed = capacity.speed;
        status.memory_bytes = capacity.memory_bytes;
        status.features = capacity.features.names().collect();
        let config = Config {
            ticket: String::new(),
            name: status.name.clone(),
            kind: ProviderKind::Browser,
            agent: measured.agent,
            capacity,
            ahead: 0,
        };
        self.house.executor.forget_rests();
        self.resize(self.house.wishes.slots());
        self.connect_again_and_again(config, token).await;
        self.resize(0);
        self.publish();
    }

    fn resize(&mut self, slots: u16) {
        let House {
            executor, blobs, ..
        } = &mut self.house;
        // Nothing runs yet, or any more: nothing can go wrong with a run.
        executor.resize(slots, blobs, &mut Vec::new());
    }

    async fn measure(&mut self) -> Result<Measured, String> {
        if self.house.measured.is_none() {
            self.house.measured = Some(Measured::take().await?);
        }
        self.house.measured.clone().ok_or_else(String::new)
    }

    async fn connect_again_and_again(&mut self, mut config: Config, token: &str) {
        let mut backoff = Backoff::new(RETRY_MS.0, RETRY_MS.1);
        loop {
            self.house.status.state = State::Connecting;
            self.publish();
            if let Some(capacity) = self.house.capacity() {
                config.capacity = capacity;
            }
            let why = match self.serve(config.clone(), token).await {
                Ok((reason, welcomed)) => {
                    if welcomed {
                        backoff.reset();
                    }
                    match reason {
                        CloseReason::Drained | CloseReason::Left => {
                            return self.end(State::Stopped, "");
                        }
                        reason if !reason.may_retry() => {
                            return self.end(State::Failed, &reason.to_string());
                        }
                        reason => reason.to_string(),
                    }
                }
                Err(Failure::Lasting(text)) => return self.end(State::Failed, &text),
                Err(Failure::Passing(text)) => text,
            };
            self.house.status.problem(unix_ms(), &why);
            self.house.status.detail = why;
            self.house.status.state = State::Waiting;
            self.house.status.provider = None;
            self.publish();
            if !self.wait(backoff.next_ms(js_sys::Math::random())).await {
                return self.end(State::Stopped, "");
            }
        }
    }

    /// One session from its ticket to its end; says also whether the broker let
    /// this provider in.
    async fn serve(
        &mut self,
        mut config: Config,
        token: &str,
    ) -> Result<(CloseReason, bool), Failure> {
        let transport = broker::transport(token).await?;
        config.ticket = broker::ticket(token).await?;
        self.sessions += 1;
        let number = self.sessions;
        let mailbox = self.house.mailbox.clone();
        let tell = {
            let mailbox = mailbox.clone();
            Rc::new(move |heard| mailbox.post(Event::Heard(number, heard)))
        };
        let status = &mut self.house.status;
        let trouble = |text: &str| status.problem(unix_ms(), text);
        let connection = self.reach.connect(&transport, tell, trouble).await?;
        let mut effects = Vec::new();
        let session = Session::new(config, monotonic_us() as u64, &mut effects);
        let mut serving = Serving::new(&mut self.house, number, (session, effects), connection);
        let mut news = true;
        while !serving.ended() {
            let mut event = Some(mailbox.take().await);
            if self.wake.slept(unix_ms()) {
                serving.take(Event::Woke);
            }
            while let Some(happened) = event {
                match &happened {
                    Event::Alarm => self.alarm.rang(),
                    _ => news = true,
                }
                serving.take(happened);
                event = mailbox.try_take();
            }
            let publish_us = self.told_us + PUBLISH_US;
            let now_us = monotonic_us();
            if news && now_us >= publish_us {
                news = false;
                self.told_us = now_us;
                let house = serving.house();
                tell_page(house);
            }
            let publish_us = if news { publish_us } else { f64::INFINITY };
            self.alarm.set(serving.next_deadline_us().min(publish_us));
        }
        let welcomed = serving.welcomed;
        Ok((serving.finish(), welcomed))
    }

    /// Waits before the next try, unless there is reason to hope; false if the
    /// page doesn't want one.
    async fn wait(&mut self, ms: u32) -> bool {
        let mailbox = self.house.mailbox.clone();
        let until_us = monotonic_us() + f64::from(ms) * 1_000.0;
        while monotonic_us() < until_us {
            self.alarm.set(until_us);
            let event = mailbox.take().await;
            if self.wake.slept(unix_ms()) {
                return true;
            }
            match event {
                Event::Page(Command::Stop | Command::Leave) => return false,
                Event::Page(Command::Probe) | Event::Woke => return true,
                Event::Page(command) => {
                    self.house.obey(&command, &mut Vec::new());
                    self.publish();
                }
                other => self.keep_house(other),
            }
        }
        true
    }

    /// What comes while there is no session. No run is left whose end could be
    /// told.
    fn keep_house(&mut self, event: Event) {
        let House {
            executor, blobs, ..
        } = &mut self.house;
        match event {
            Event::Alarm => self.alarm.rang(),
            Event::Guest(worker, said) => executor.heard(worker, said, blobs, &mut Vec::new()),
            Event::Compiled(key, compiled) => {
                executor.compiled(key, compiled, blobs, &mut Vec::new());
            }
            Event::Page(_) | Event::Woke | Event::Found(..) | Event::Heard(..) => {}
        }
    }

    fn end(&mut self, state: State, why: &str) {
        let status = &mut self.house.status;
        if state == State::Failed {
            status.problem(unix_ms(), why);
        }
        status.state = state;
        why.clone_into(&mut status.detail);
        status.provider = None;
        self.publish();
    }

    fn publish(&mut self) {
        self.told_us = monotonic_us();
        tell_page(&mut self.house);
    }
}

fn tell_page(house: &mut House) {
    house.status.doing = house.executor.doing();
    if let Ok(json) = serde_json::to_string(&house.status) {
        // A page that doesn't listen any more is no concern of this worker.
        drop(scope().post_message(&json.into()));
    }
}

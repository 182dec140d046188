//! [`channel`]: events as values, for a program that handles them elsewhere.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{time::Timestamp, token::Token};

use super::{Event, Observer};

/// An event, with its operation, its time, and the fleet that it belongs to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// The fleet, as the program calls it.
    #[serde(rename = "fleet")]
    pub fleet: String,
    /// The operation, the same in all events of one command. Reports and histories have it if the command changed
    /// something. `None` for an event between the legs of a drill, each of which is an operation.
    #[serde(rename = "operation")]
    pub operation: Option<Token>,
    /// The time, by the clock of this machine.
    #[serde(rename = "at")]
    pub at: Timestamp,
    /// The event.
    #[serde(rename = "event")]
    pub event: Event,
}

/// Creates a channel for the events of the commands on `fleet`, as the program calls it.
///
/// The channel has no bound, so a command never waits for the receiver: while that is slow, events gather in memory.
/// Once the receiver is dropped, events are discarded, and the commands go on.
///
/// ```
/// # async fn example(shop: switchback::Fleet, blog: switchback::Fleet) -> Result<(), switchback::RunError> {
/// use switchback::event;
///
/// let (sender, mut events) = event::channel("shop");
/// tokio::spawn(async move {
///     while let Some(record) = events.recv().await {
///         println!("{} {}: {:?}", record.at, record.fleet, record.event);
///     }
/// });
/// shop.status(sender.clone()).await?;
/// blog.status(sender.of("blog")).await?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn channel(fleet: impl Into<String>) -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Sender { fleet: fleet.into(), sender }, Receiver(receiver))
}

/// The observer that sends events into a [`channel`]. Clones send into the same one.
#[derive(Debug, Clone)]
pub struct Sender {
    fleet: String,
    sender: mpsc::UnboundedSender<Record>,
}

impl Sender {
    /// Returns a sender into the same channel for the commands on another fleet.
    #[must_use]
    pub fn of(&self, fleet: impl Into<String>) -> Self {
        Self { fleet: fleet.into(), sender: self.sender.clone() }
    }

    fn send(&self, operation: Option<Token>, event: &Event) {
        let (fleet, at) = (self.fleet.clone(), Timestamp::now());
        // Without a receiver nobody wants to know.
        let _ = self.sender.send(Record { fleet, operation, at, event: event.clone() });
    }
}

impl Observer for Sender {
    fn event(&self, event: &Event) {
        self.send(None, event);
    }

    fn event_of(&self, operation: &Token, event: &Event) {
        self.send(Some(operation.clone()), event);
    }
}

/// Receives the events of a [`channel`], in order.
#[derive(Debug)]
pub struct Receiver(mpsc::UnboundedReceiver<Record>);

impl Receiver {
    /// Waits for the next event; `None` once all senders are dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn recv(&mut self) -> Option<Record> {
        self.0.recv().await
    }

    /// Blocks until the next event; `None` once all senders are dropped. Only outside of asynchronous code.
    pub fn blocking_recv(&mut self) -> Option<Record> {
        self.0.blocking_recv()
    }

    /// Returns the next event if there is one already.
    pub fn try_recv(&mut self) -> Option<Record> {
        self.0.try_recv().ok()
    }
}

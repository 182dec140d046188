//! Kinds of mishaps in a world, and their probabilities.

use crate::simulation::rng::Rng;

/// Probabilities, in thousandths.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// The maximum number of commands at once; not a probability.
    pub(crate) controllers: usize,
    lost: usize,
    cut: usize,
    delayed: usize,
    unreachable: usize,
    /// The share of lost connections whose process on the host dies too.
    hang_up: usize,
    pub(crate) crash: usize,
    pub(crate) cancel: usize,
    pub(crate) people: usize,
    pub(crate) clock: usize,
}

/// The fate of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    /// Executed, and the answer is lost.
    Lost {
        hang_up: bool,
    },
    /// The process dies in the middle.
    Cut,
    /// Executed much later, if at all; the sender does not wait.
    Delayed {
        hang_up: bool,
    },
    Unreachable,
}

impl Weather {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let calm = Self { controllers: 1, clock: 20, ..Self::default() };
        let crowded = Self { controllers: 2 + rng.below(3), ..calm };
        let mut up_to = |limit: usize| rng.below(limit + 1);
        let stormy = Self {
            lost: up_to(40),
            cut: up_to(40),
            delayed: up_to(40),
            unreachable: up_to(15),
            hang_up: up_to(600),
            crash: up_to(15),
            cancel: up_to(5),
            ..crowded
        };
        let wild = Self { people: 1 + up_to(20), ..stormy };
        let busy = Self { people: 1 + up_to(20), cancel: up_to(5), ..crowded };
        match up_to(9) {
            0 | 1 => calm,
            2 => crowded,
            3..=6 => stormy,
            7 => busy,
            _ => wild,
        }
    }

    /// Returns weather without mishaps, for the end. Two controllers, only to keep [`Self::is_calm`] false: the diary
    /// does not cover what happened before.
    pub(crate) fn afterwards() -> Self {
        Self { controllers: 2, ..Self::default() }
    }

    /// Whether commands run one after the other, undisturbed.
    pub(crate) fn is_calm(&self) -> bool {
        self.controllers == 1
    }

    pub(crate) fn fate(&self, rng: &mut Rng) -> Fate {
        let dice = rng.below(1000);
        let hang_up = rng.happens(self.hang_up);
        let mut until = 0;
        let mut within = |chance: usize| {
            until += chance;
            dice < until
        };
        if within(self.lost) {
            Fate::Lost { hang_up }
        } else if within(self.cut) {
            Fate::Cut
        } else if within(self.delayed) {
            Fate::Delayed { hang_up }
        } else if within(self.unreachable) {
            Fate::Unreachable
        } else {
            Fate::Answered
        }
    }
}

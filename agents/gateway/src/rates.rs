//! How much of a provider this replica uses, and whether one more call fits its limits. Pure.
//!
//! A window of whole seconds, not a bucket that refills: of a bucket up to twice its rate may leave within a minute, which
//! is what providers refuse. What a call reserved and did not use is given back.

use golden_crds::model_provider::ProviderLimits;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Seconds after which a use no longer counts: a minute, and the rest of the second it began in.
const WINDOW: u64 = 61;

/// Uses within the last minute, by the second.
#[derive(Debug, Default)]
struct Window {
    uses: VecDeque<(u64, u64)>,
}

impl Window {
    /// In how many seconds so many more fit into a limit; 0: now. More than the whole limit fit once nothing else counts.
    fn wait(&self, limit: u64, wanted: u64, now: u64) -> u64 {
        let room = limit.saturating_sub(wanted.min(limit));
        let mut used: u64 = self.uses.iter().map(|(_, used)| used).sum();
        let mut wait = 0;
        for (at, part) in &self.uses {
            if used <= room {
                break;
            }
            used -= part;
            wait = at + WINDOW - now;
        }
        wait
    }

    fn forget(&mut self, now: u64) {
        while self.uses.front().is_some_and(|(at, _)| at + WINDOW <= now) {
            self.uses.pop_front();
        }
    }

    fn add(&mut self, used: u64, now: u64) {
        match self.uses.back_mut() {
            Some((at, part)) if *at == now => *part += used,
            _ => self.uses.push_back((now, used)),
        }
    }

    /// What was used at that time was less, or more.
    fn correct(&mut self, at: u64, from: u64, to: u64) {
        if let Some((_, part)) = self.uses.iter_mut().find(|(second, _)| *second == at) {
            *part = part.saturating_sub(from).saturating_add(to);
        }
    }
}

/// A call's place within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    at: u64,
    tokens: u64,
}

impl Taken {
    /// The most that it can use.
    pub(crate) fn tokens(self) -> u64 {
        self.tokens
    }
}

/// Why a call does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Busy {
    /// As many calls as may be are under way.
    UnderWay,
    /// The limits of a minute are used up for so long.
    For(Duration),
}

/// One provider's limits and what is used of them.
#[derive(Debug)]
pub(crate) struct Rates {
    limits: ProviderLimits,
    begun: Instant,
    under_way: u64,
    requests: Window,
    tokens: Window,
}

impl Rates {
    pub(crate) fn new(limits: ProviderLimits, now: Instant) -> Self {
        Self { limits, begun: now, under_way: 0, requests: Window::default(), tokens: Window::default() }
    }

    /// Other limits, from now on. Whether they are other ones.
    pub(crate) fn limit(&mut self, limits: &ProviderLimits) -> bool {
        let other = self.limits != *limits;
        if other {
            self.limits = limits.clone();
        }
        other
    }

    pub(crate) fn limits(&self) -> &ProviderLimits {
        &self.limits
    }

    /// Whether a call of at most so many tokens has a place now. The second it is in.
    pub(crate) fn room(&mut self, tokens: u64, now: Instant) -> Result<u64, Busy> {
        let whole = |limit: i64| u64::try_from(limit).unwrap_or(0);
        if self.under_way >= whole(self.limits.max_concurrent) {
            return Err(Busy::UnderWay);
        }
        let at = now.saturating_duration_since(self.begun).as_secs();
        self.requests.forget(at);
        self.tokens.forget(at);
        let calls = self.limits.requests_per_minute.map_or(0, |most| self.requests.wait(whole(most), 1, at));
        let most = self.limits.tokens_per_minute;
        let wait = calls.max(most.map_or(0, |most| self.tokens.wait(whole(most), tokens, at)));
        if wait > 0 {
            return Err(Busy::For(Duration::from_secs(wait)));
        }
        Ok(at)
    }

    /// Takes a place for a call of at most so many tokens.
    pub(crate) fn take(&mut self, tokens: u64, now: Instant) -> Result<Taken, Busy> {
        let at = self.room(tokens, now)?;
        self.under_way += 1;
        // Counted also without a limit: one that is written counts what went before.
        self.requests.add(1, at);
        self.tokens.add(tokens, at);
        Ok(Taken { at, tokens })
    }

    /// The call has ended. `None`: it was never sent; else the tokens that it used.
    pub(crate) fn end(&mut self, Taken { at, tokens }: Taken, used: Option<u64>) {
        self.under_way = self.under_way.saturating_sub(1);
        if used.is_none() {
            self.requests.correct(at, 1, 0);
        }
        self.tokens.correct(at, tokens, used.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rates(requests: Option<i64>, tokens: Option<i64>, concurrent: i64) -> (Rates, Instant) {
        let now = Instant::now();
        let limits = ProviderLimits {
            requests_per_minute: requests,
            tokens_per_minute: tokens,
            max_concurrent: concurrent,
        };
        (Rates::new(limits, now), now)
    }

    #[test]
    fn calls_above_the_minutes_limit_wait_until_earlier_ones_are_past() {
        let (mut rates, now) = rates(Some(2), None, 64);
        let first = rates.take(1, now).unwrap();
        rates.end(first, Some(1));
        rates.take(1, now + Duration::from_secs(10)).unwrap();
        let busy = rates.take(1, now + Duration::from_secs(20)).unwrap_err();
        assert_eq!(busy, Busy::For(Duration::from_secs(41)));
        assert!(rates.take(1, now + Duration::from_secs(61)).is_ok());
        assert!(rates.take(1, now + Duration::from_secs(61)).is_err(), "the second one still counts");
    }

    #[test]
    fn tokens_that_were_not_used_come_back_and_a_call_above_the_limit_waits_for_an_empty_minute() {
        let (mut rates, now) = rates(None, Some(1000), 64);
        let first = rates.take(900, now).unwrap();
        assert!(rates.take(200, now).is_err());
        rates.end(first, Some(100));
        let large = rates.take(5000, now).unwrap_err();
        assert_eq!(large, Busy::For(Duration::from_secs(WINDOW)));
        assert!(rates.take(900, now).is_ok());
        assert!(rates.take(5000, now + Duration::from_secs(WINDOW)).is_ok(), "or it would never go");
    }

    #[test]
    fn what_was_never_sent_counts_for_nothing_and_limits_may_change() {
        let (mut rates, now) = rates(Some(1), None, 1);
        let taken = rates.take(5, now).unwrap();
        assert_eq!(rates.take(5, now), Err(Busy::UnderWay));
        rates.end(taken, None);
        rates.take(5, now).unwrap();
        let more =
            ProviderLimits { requests_per_minute: Some(2), max_concurrent: 2, ..ProviderLimits::default() };
        assert!(rates.limit(&more) && !rates.limit(&more));
        assert!(rates.take(5, now).is_ok());
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_the_limit(
            limit in 1_i64..20,
            calls in proptest::collection::vec((0_u64..3000, 0_u64..4), 1..200),
        ) {
            let (mut rates, mut now) = rates(Some(limit), None, 1000);
            let mut begun = Vec::new();
            for (wait, ends) in calls {
                now += Duration::from_millis(wait * (ends + 1));
                if let Ok(taken) = rates.take(1, now) {
                    if ends > 0 {
                        rates.end(taken, Some(1));
                    }
                    begun.push(now);
                }
            }
            for at in &begun {
                let minute = begun.iter().filter(|b| *b >= at && **b < *at + Duration::from_mins(1)).count();
                prop_assert!(i64::try_from(minute).unwrap() <= limit, "{minute} calls in a minute");
            }
        }
    }
}

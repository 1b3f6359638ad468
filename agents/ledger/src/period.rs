//! Periods of a budget: when one ends, in its time zone.
//!
//! A day is a day of the calendar: where clocks are turned it has 23 or 25 hours. Where midnight does not exist on a
//! day, the day begins with the first moment that does.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

/// How long a limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Period {
    /// For ever.
    #[default]
    Total,
    Day,
    /// From Monday on.
    Week,
    Month,
}

impl Period {
    /// Reads the stored name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Total" => Some(Self::Total),
            "Day" => Some(Self::Day),
            "Week" => Some(Self::Week),
            "Month" => Some(Self::Month),
            _ => None,
        }
    }
}

/// One period: `start` belongs to it, `end` to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: Timestamp,
    pub end: Timestamp,
}

/// A name that the time zone database does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time zone {0} is not known; use a name of the IANA database, such as Europe/Berlin or UTC")]
pub struct UnknownZone(pub String);

/// The zone of this name.
pub fn time_zone(name: &str) -> Result<TimeZone, UnknownZone> {
    TimeZone::get(name).map_err(|_| UnknownZone(name.chars().take(64).collect()))
}

/// The period that `now` is in. None where the limit counts for ever.
pub fn span(period: Period, zone: &TimeZone, now: Timestamp) -> Option<Span> {
    let today = now.to_zoned(zone.clone()).date();
    let (first, next) = match period {
        Period::Total => return None,
        Period::Day => (today, today.checked_add(1.day()).ok()?),
        Period::Week => {
            let since_monday = today.weekday().since(Weekday::Monday);
            let monday = today.checked_sub(i64::from(since_monday).days()).ok()?;
            (monday, monday.checked_add(7.days()).ok()?)
        }
        Period::Month => (today.first_of_month(), today.first_of_month().checked_add(1.month()).ok()?),
    };
    let midnight = |date: Date| date.to_zoned(zone.clone()).map(|z| z.timestamp()).ok();
    Some(Span { start: midnight(first)?, end: midnight(next)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn of(period: Period, zone: &str, now: &str) -> (String, String) {
        let span = span(period, &time_zone(zone).unwrap(), at(now)).unwrap();
        (span.start.to_string(), span.end.to_string())
    }

    fn want(start: &str, end: &str) -> (String, String) {
        (start.into(), end.into())
    }

    #[test]
    fn periods_begin_where_people_expect_them() {
        let now = "2026-11-24T12:00:00Z";
        assert_eq!(of(Period::Day, "UTC", now), want("2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"));
        assert_eq!(of(Period::Week, "UTC", now), want("2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"));
        assert_eq!(of(Period::Month, "UTC", now), want("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"));
        assert_eq!(
            of(Period::Day, "Asia/Tokyo", "2026-11-24T16:00:00Z"),
            want("2026-11-24T15:00:00Z", "2026-11-25T15:00:00Z"),
            "it is tomorrow there"
        );
        assert_eq!(span(Period::Total, &TimeZone::UTC, at(now)), None);
    }

    #[test]
    fn a_day_on_which_clocks_are_turned_is_shorter_or_longer() {
        let spring = of(Period::Day, "Europe/Berlin", "2026-03-29T12:00:00Z");
        assert_eq!(spring, want("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), "23 hours");
        let autumn = of(Period::Day, "Europe/Berlin", "2026-10-25T12:00:00Z");
        assert_eq!(autumn, want("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), "25 hours");
        // Clocks go from 23:59:59 to 01:00 here: the day has no midnight.
        let gap = of(Period::Day, "America/Santiago", "2026-09-06T12:00:00Z");
        assert_eq!(gap.0, "2026-09-06T04:00:00Z");
    }

    #[test]
    fn an_unknown_zone_is_told() {
        assert!(time_zone("Mars/Olympus").unwrap_err().to_string().contains("Mars/Olympus"));
    }

    proptest! {
        /// Whatever the zone: `now` is within, and the next period begins where this one ends.
        #[test]
        fn periods_follow_one_another_without_gap(
            seconds in 0_i64..4_000_000_000,
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia", "Africa/Cairo"]),
            period in prop::sample::select(vec![Period::Day, Period::Week, Period::Month]),
        ) {
            let (zone, now) = (time_zone(zone).unwrap(), Timestamp::from_second(seconds).unwrap());
            let this = span(period, &zone, now).unwrap();
            prop_assert!(this.start <= now && now < this.end, "{this:?} {now}");
            let next = span(period, &zone, this.end).unwrap();
            prop_assert_eq!(next.start, this.end);
            let last = span(period, &zone, this.end - 1.nanosecond()).unwrap();
            prop_assert_eq!(last, this);
        }
    }
}

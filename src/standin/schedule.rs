//! When a timer fires: NCRONTAB expressions and plain intervals, as the timer extension reads them, by the clock of one
//! time zone. Knows no clock.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use thiserror::Error;

mod ncrontab;

use ncrontab::Expression;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "schedule `{text}` is neither an NCRONTAB expression (`{{second}} {{minute}} {{hour}} {{day}} {{month}} {{day-of-week}}`, \
     or five fields without the second) nor an interval `hh:mm:ss` below 24 hours"
)]
pub struct BadSchedule {
    text: String,
}

#[derive(Clone, Debug)]
pub struct Schedule {
    kind: Kind,
    zone: Tz,
}

#[derive(Clone, Debug)]
enum Kind {
    Cron(Box<Expression>),
    Every(TimeDelta),
}

impl Schedule {
    /// By this zone's clock instead of UTC's.
    pub fn in_zone(self, zone: Tz) -> Self {
        Schedule { zone, ..self }
    }

    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The moment after `now` at which the timer fires next; `None` for a date that never comes.
    pub fn next_after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.kind {
            Kind::Cron(expression) => self.next_occurrence(expression, now),
            Kind::Every(interval) => now.checked_add_signed(*interval),
        }
    }

    /// Only a cron expression follows the local clock.
    pub fn adjusts_for_dst(&self) -> bool {
        matches!(self.kind, Kind::Cron(_))
    }

    /// The timer extension keeps no status for such a schedule (`TimerSchedule.cs` of azure-webjobs-sdk-extensions).
    pub fn is_more_often_than_once_a_minute(&self) -> bool {
        match &self.kind {
            Kind::Cron(expression) => expression.is_more_often_than_once_a_minute(),
            Kind::Every(interval) => *interval < TimeDelta::minutes(1),
        }
    }

    /// `CronSchedule.GetNextOccurrence` with its adjustments: a time that the clock skips is later by what was skipped; of
    /// one that comes twice, a point in time means the first, while an interval runs through both.
    fn next_occurrence(&self, expression: &Expression, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let here = now.with_timezone(&self.zone);
        let next_naive = expression.next_after(here.naive_local())?;
        let next = self.by_standard_time(next_naive)?;
        let now_is_ambiguous = self.is_ambiguous(here.naive_local());
        let next_is_ambiguous = self.is_ambiguous(next_naive);
        if !now_is_ambiguous && !next_is_ambiguous {
            return Some(next.to_utc());
        }
        let shift = seconds_east(&next) - seconds_east(&here);
        if shift != 0 && (expression.is_interval() || next_is_ambiguous) {
            return next.to_utc().checked_add_signed(TimeDelta::seconds(i64::from(shift)));
        }
        if !expression.is_interval() && next_is_ambiguous {
            // It ran when the clock showed this time first.
            let mut later = next_naive;
            while self.is_ambiguous(later) {
                later = expression.next_after(later)?;
            }
            return self.by_standard_time(later).map(|time| time.to_utc());
        }
        Some(next.to_utc())
    }

    /// As .NET resolves a wall clock: one that comes twice is the second, one that is skipped counts by the offset before.
    fn by_standard_time(&self, wall_clock: NaiveDateTime) -> Option<DateTime<Tz>> {
        match self.zone.from_local_datetime(&wall_clock) {
            LocalResult::Single(time) | LocalResult::Ambiguous(_, time) => Some(time),
            LocalResult::None => {
                // No zone skips more than a day.
                let before =
                    self.zone.from_local_datetime(&wall_clock.checked_sub_signed(TimeDelta::days(1))?).latest()?;
                before.checked_add_signed(TimeDelta::days(1))
            }
        }
    }

    fn is_ambiguous(&self, wall_clock: NaiveDateTime) -> bool {
        matches!(self.zone.from_local_datetime(&wall_clock), LocalResult::Ambiguous(..))
    }
}

fn seconds_east(time: &DateTime<Tz>) -> i32 {
    time.offset().fix().local_minus_utc()
}

/// As the host's log shows it.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Cron(expression) => write!(f, "Cron: '{expression}'"),
            Kind::Every(interval) => {
                let seconds = interval.num_seconds();
                write!(f, "Constant: {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
            }
        }
    }
}

impl FromStr for Schedule {
    type Err = BadSchedule;

    fn from_str(text: &str) -> Result<Self, BadSchedule> {
        let cron = || Expression::parse(text).map(|expression| Kind::Cron(Box::new(expression)));
        match cron().or_else(|| interval(text)) {
            Some(kind) => Ok(Schedule { kind, zone: Tz::UTC }),
            None => Err(BadSchedule { text: text.to_owned() }),
        }
    }
}

/// `hh:mm:ss`. .NET reads an hour above 23 as a number of days, which nobody means: it is refused.
fn interval(text: &str) -> Option<Kind> {
    let parts: Vec<u32> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts[..] else {
        return None;
    };
    if hours > 23 || minutes > 59 || seconds > 59 || hours + minutes + seconds == 0 {
        return None;
    }
    Some(Kind::Every(TimeDelta::seconds(i64::from(hours * 3600 + minutes * 60 + seconds))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn schedule(text: &str) -> Schedule {
        text.parse().unwrap()
    }

    fn in_los_angeles(text: &str) -> Schedule {
        schedule(text).in_zone(chrono_tz::America::Los_Angeles)
    }

    /// The next `count` occurrences, by the local clock with its offset.
    fn occurrences(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
        let following = std::iter::successors(schedule.next_after(at(after)), |time| schedule.next_after(*time));
        following
            .take(count)
            .map(|time| time.with_timezone(&schedule.zone()).format("%d %H:%M%:z").to_string())
            .collect()
    }

    #[test]
    fn an_interval_counts_from_now() {
        assert_eq!(schedule("00:01:30").next_after(at("2026-08-22T06:00:00Z")), Some(at("2026-08-22T06:01:30Z")));
        assert!(!schedule("00:01:30").adjusts_for_dst());
        assert!(schedule("0 * * * * *").adjusts_for_dst());
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in ["", "@daily", "24:00:00", "00:00:00", "1:2", "00:00:60"] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_schedule_knows_whether_it_is_too_frequent_for_a_status() {
        let too_frequent = |text: &str| schedule(text).is_more_often_than_once_a_minute();
        assert!(too_frequent("*/2 * * * * *"));
        assert!(too_frequent("00:00:59"));
        assert!(!too_frequent("0 * * * * *"));
        assert!(!too_frequent("* * * * *"));
        assert!(!too_frequent("*/2 0 * * * *"));
        assert!(!too_frequent("00:01:00"));
    }

    #[test]
    fn a_zone_moves_the_hour_with_the_season() {
        let nightly = in_los_angeles("0 0 3 * * *");
        assert_eq!(nightly.next_after(at("2026-01-10T00:00:00Z")), Some(at("2026-01-10T11:00:00Z")));
        assert_eq!(nightly.next_after(at("2026-07-10T00:00:00Z")), Some(at("2026-07-10T10:00:00Z")));
    }

    #[test]
    fn an_hour_that_is_skipped_is_made_up_for() {
        let nightly = in_los_angeles("0 30 2 * * *");
        assert_eq!(occurrences(&nightly, "2018-03-10T12:00:00-08:00", 2), ["11 03:30-07:00", "12 02:30-07:00"]);
    }

    #[test]
    fn a_point_in_time_that_comes_twice_fires_once() {
        let nightly = in_los_angeles("0 30 1 * * *");
        let expected = ["04 01:30-07:00", "05 01:30-08:00"];
        assert_eq!(occurrences(&nightly, "2018-11-04T00:59:00-07:00", 2), expected);
        assert_eq!(occurrences(&nightly, "2018-11-04T01:29:00-08:00", 1), expected[1..]);
    }

    #[test]
    fn an_interval_runs_through_the_hour_that_comes_twice() {
        let expected = [
            "04 01:00-07:00",
            "04 01:30-07:00",
            "04 01:00-08:00",
            "04 01:30-08:00",
            "04 02:00-08:00",
            "04 02:30-08:00",
        ];
        assert_eq!(occurrences(&in_los_angeles("0 */30 * * * *"), "2018-11-04T00:30:00-07:00", 6), expected);
    }

    #[test]
    fn a_schedule_is_written_as_the_hosts_log_shows_it() {
        assert_eq!(schedule("0 */30 * * * *").to_string(), "Cron: '0 0,30 * * * *'");
        assert_eq!(schedule("00:01:30").to_string(), "Constant: 00:01:30");
    }
}

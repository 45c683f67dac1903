//! When a timer fires: NCRONTAB expressions and plain intervals, as the timer extension reads them. Knows no clock.

use std::str::FromStr;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use thiserror::Error;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "schedule `{text}` is neither an NCRONTAB expression (`{{second}} {{minute}} {{hour}} {{day}} {{month}} {{day-of-week}}`) \
     nor an interval `hh:mm:ss` below 24 hours"
)]
pub struct BadSchedule {
    text: String,
}

#[derive(Clone, Debug)]
pub enum Schedule {
    Cron(Box<Cron>),
    Every(TimeDelta),
}

impl Schedule {
    /// The moment after `now` at which the timer fires next; `None` for a date that never comes.
    pub fn next_after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            // croner would carry the fraction of the second over into its answer.
            Schedule::Cron(cron) => cron.find_next_occurrence(&now.trunc_subsecs(0), false).ok(),
            Schedule::Every(interval) => now.checked_add_signed(*interval),
        }
    }

    /// Only a cron expression follows the local clock.
    pub fn adjusts_for_dst(&self) -> bool {
        matches!(self, Schedule::Cron(_))
    }

    /// The timer extension keeps no status for such a schedule: it looks at the next five occurrences, as we do
    /// (`TimerSchedule.cs` of azure-webjobs-sdk-extensions).
    pub fn is_more_often_than_once_a_minute(&self, now: DateTime<Utc>) -> bool {
        let occurrences: Vec<_> =
            std::iter::successors(self.next_after(now), |occurrence| self.next_after(*occurrence)).take(5).collect();
        occurrences.windows(2).any(|pair| pair[1] - pair[0] < TimeDelta::minutes(1))
    }
}

impl FromStr for Schedule {
    type Err = BadSchedule;

    fn from_str(text: &str) -> Result<Self, BadSchedule> {
        let parsed = if text.contains(':') { interval(text) } else { cron(text) };
        parsed.ok_or_else(|| BadSchedule { text: text.to_owned() })
    }
}

fn cron(text: &str) -> Option<Schedule> {
    let fields = text.split_ascii_whitespace().count();
    // Forms that croner understands and NCRONTAB does not: the real host would refuse them.
    let without_names = text.to_ascii_uppercase().replace("JUL", "").replace("WED", "");
    if !(5..=6).contains(&fields) || without_names.contains(['L', 'W', '#', '?', '@', '+']) {
        return None;
    }
    let parser = CronParser::builder().seconds(Seconds::Optional).dom_and_dow(true).build();
    parser.parse(text).ok().map(|cron| Schedule::Cron(Box::new(cron)))
}

/// `hh:mm:ss`. .NET reads an hour above 23 as a number of days, which nobody means: it is refused.
fn interval(text: &str) -> Option<Schedule> {
    let parts: Vec<u32> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts[..] else {
        return None;
    };
    if hours > 23 || minutes > 59 || seconds > 59 || hours + minutes + seconds == 0 {
        return None;
    }
    Some(Schedule::Every(TimeDelta::seconds(i64::from(hours * 3600 + minutes * 60 + seconds))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn next(schedule: &str, now: &str) -> DateTime<Utc> {
        schedule.parse::<Schedule>().unwrap().next_after(at(now)).unwrap()
    }

    #[test]
    fn six_fields_begin_with_the_second() {
        assert_eq!(next("0 */5 * * * *", "2026-08-22T06:00:00Z"), at("2026-08-22T06:05:00Z"));
        assert_eq!(next("*/2 * * * * *", "2026-08-22T06:00:00.5Z"), at("2026-08-22T06:00:02Z"));
        assert_eq!(next("30 0 8 * JUL WED", "2026-06-22T06:00:00Z"), at("2026-07-01T08:00:30Z"));
    }

    #[test]
    fn five_fields_begin_with_the_minute() {
        assert_eq!(next("*/5 * * * *", "2026-08-22T06:00:01Z"), at("2026-08-22T06:05:00Z"));
    }

    #[test]
    fn day_of_month_and_day_of_week_must_both_hold() {
        assert_eq!(next("0 0 0 13 * FRI", "2026-08-01T00:00:00Z"), at("2026-11-13T00:00:00Z"));
    }

    #[test]
    fn an_interval_counts_from_now() {
        assert_eq!(next("00:01:30", "2026-08-22T06:00:00Z"), at("2026-08-22T06:01:30Z"));
        assert!(!"00:01:30".parse::<Schedule>().unwrap().adjusts_for_dst());
    }

    #[test]
    fn what_the_real_host_would_refuse_is_refused() {
        for text in
            ["", "* * * *", "0 0 0 L * *", "@daily", "24:00:00", "00:00:00", "1:2", "0 0 0 * * * 2026", "61 * * * * *"]
        {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_schedule_knows_whether_it_is_too_frequent_for_a_status() {
        let now = at("2026-08-22T06:00:00Z");
        let too_frequent = |text: &str| text.parse::<Schedule>().unwrap().is_more_often_than_once_a_minute(now);
        assert!(too_frequent("*/2 * * * * *"));
        assert!(too_frequent("00:00:59"));
        assert!(!too_frequent("0 * * * * *"));
        assert!(!too_frequent("00:01:00"));
    }
}

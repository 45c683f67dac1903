//! NCRONTAB expressions, read as the library NCrontab reads them (`CrontabField.cs`, `CrontabFieldImpl.cs`,
//! `CrontabSchedule.cs` of atifaziz/NCrontab), which the timer extension uses. Knows wall clocks and no time zones.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

/// The calendar repeats itself after so many years: a date that does not come in them never comes.
const YEARS_UNTIL_NEVER: i32 = 400;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Six fields, or five without the seconds.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    /// `None`: five fields were written, and the second is 0.
    seconds: Option<Field>,
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

impl Expression {
    /// `None` for what NCrontab refuses.
    pub(super) fn parse(text: &str) -> Option<Expression> {
        // Blanks alone separate fields, not tabs.
        let tokens: Vec<&str> = text.split(' ').filter(|token| !token.is_empty()).collect();
        let (seconds, rest) = match tokens.len() {
            6 => (Some(Field::parse(tokens[0], 0, 59, &[])?), &tokens[1..]),
            5 => (None, &tokens[..]),
            _ => return None,
        };
        Some(Expression {
            seconds,
            minutes: Field::parse(rest[0], 0, 59, &[])?,
            hours: Field::parse(rest[1], 0, 23, &[])?,
            days: Field::parse(rest[2], 1, 31, &[])?,
            months: Field::parse(rest[3], 1, 12, &MONTHS)?,
            weekdays: Field::parse(rest[4], 0, 6, &WEEKDAYS)?,
        })
    }

    /// The first occurrence after `base`; `None` for a date that never comes. Day, month and day of the week must all
    /// hold, unlike in Unix's cron.
    pub(super) fn next_after(&self, base: NaiveDateTime) -> Option<NaiveDateTime> {
        let from = base.with_nanosecond(0)?.checked_add_signed(TimeDelta::seconds(1))?;
        if self.holds_on(from.date())
            && let Some(time) = self.time_from(from.time())
        {
            return Some(from.date().and_time(time));
        }
        let time = self.time_from(NaiveTime::MIN)?;
        let mut date = from.date().checked_add_days(Days::new(1))?;
        while date.year() <= from.year() + YEARS_UNTIL_NEVER {
            if !self.months.holds(date.month()) {
                date = date.with_day(1)?.checked_add_months(Months::new(1))?;
            } else if self.holds_on(date) {
                return Some(date.and_time(time));
            } else {
                date = date.checked_add_days(Days::new(1))?;
            }
        }
        None
    }

    /// More than one occurrence within some minute, and every minute: the timer extension then keeps no status
    /// (`TimerSchedule.ShouldDisableScheduleMonitor`).
    pub(super) fn is_more_often_than_once_a_minute(&self) -> bool {
        let above = [self.minutes, self.hours, self.days, self.months, self.weekdays];
        above.iter().all(Field::is_full) && self.seconds.is_some_and(|seconds| seconds.count() > 1)
    }

    /// As `CronSchedule.cs` tells intervals from points in time: by a `*` or `-` in the time of the day, as the library
    /// writes it.
    pub(super) fn is_interval(&self) -> bool {
        let of_the_day = [self.seconds, Some(self.minutes), Some(self.hours)];
        of_the_day.iter().flatten().any(Field::has_a_run)
    }

    fn holds_on(&self, date: NaiveDate) -> bool {
        self.days.holds(date.day())
            && self.months.holds(date.month())
            && self.weekdays.holds(date.weekday().num_days_from_sunday())
    }

    fn time_from(&self, from: NaiveTime) -> Option<NaiveTime> {
        let seconds = self.seconds.unwrap_or(Field::ZERO);
        let (hour, minute) = (from.hour(), from.minute());
        if self.hours.holds(hour) {
            if self.minutes.holds(minute)
                && let Some(second) = seconds.next(from.second())
            {
                return NaiveTime::from_hms_opt(hour, minute, second);
            }
            if let Some(minute) = self.minutes.next(minute + 1) {
                return NaiveTime::from_hms_opt(hour, minute, seconds.next(0)?);
            }
        }
        NaiveTime::from_hms_opt(self.hours.next(hour + 1)?, self.minutes.next(0)?, seconds.next(0)?)
    }
}

/// As the library writes it, which is what the host's log shows.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(seconds) = self.seconds {
            write!(f, "{seconds} ")?;
        }
        write!(f, "{} {} {} {} {}", self.minutes, self.hours, self.days, self.months, self.weekdays)
    }
}

/// The values of one field as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    bits: u64,
    lowest: u32,
    highest: u32,
}

impl Field {
    const ZERO: Field = Field { bits: 1, lowest: 0, highest: 59 };

    fn parse(text: &str, lowest: u32, highest: u32, names: &[&str]) -> Option<Field> {
        let mut field = Field { bits: 0, lowest, highest };
        for part in text.split(',') {
            field.add(part, names)?;
        }
        Some(field)
    }

    /// `*`, `value`, `from-to`, each with `/step` or without.
    fn add(&mut self, part: &str, names: &[&str]) -> Option<()> {
        let (range, step) = match part.split_once('/') {
            // A step below 1 counts as 1.
            Some((range, step)) => (range, Some(step.parse::<i32>().ok()?.max(1).unsigned_abs())),
            None => (part, None),
        };
        let (from, to) = if range == "*" {
            (self.lowest, self.highest)
        } else if let Some((from, to)) = range.split_once('-') {
            let (from, to) = (self.value(from, names)?, self.value(to, names)?);
            // The library swaps ends that stand the wrong way round: FRI-MON is Monday to Friday.
            (from.min(to), from.max(to))
        } else {
            let value = self.value(range, names)?;
            (value, if step.is_some() { self.highest } else { value })
        };
        for value in (from..=to).step_by(step.unwrap_or(1) as usize) {
            self.bits |= 1 << value;
        }
        Some(())
    }

    /// A number, or the beginning of a name in any case: `J` is January.
    fn value(&self, text: &str, names: &[&str]) -> Option<u32> {
        let value = if text.starts_with(|first: char| first.is_ascii_digit()) {
            text.parse().ok()?
        } else if text.is_empty() {
            return None;
        } else {
            let begins = |name: &&str| name.get(..text.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(text));
            self.lowest + names.iter().position(begins)? as u32
        };
        (self.lowest..=self.highest).contains(&value).then_some(value)
    }

    fn holds(&self, value: u32) -> bool {
        self.bits & (1 << value) != 0
    }

    fn next(&self, from: u32) -> Option<u32> {
        let rest = self.bits & u64::MAX.checked_shl(from)?;
        (rest != 0).then(|| rest.trailing_zeros())
    }

    fn count(&self) -> u32 {
        self.bits.count_ones()
    }

    fn is_full(&self) -> bool {
        self.count() == self.highest - self.lowest + 1
    }

    fn has_a_run(&self) -> bool {
        self.bits & (self.bits >> 1) != 0
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_full() {
            return f.write_str("*");
        }
        let mut next = self.next(self.lowest);
        let mut comma = "";
        while let Some(first) = next {
            let last = (first..=self.highest).take_while(|value| self.holds(*value)).last().unwrap_or(first);
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
            comma = ",";
            next = self.next(last + 1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn next(expression: &str, base: &str) -> String {
        let expression = Expression::parse(expression).expect("the expression is valid");
        expression.next_after(base.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn six_fields_begin_with_the_second_and_five_with_the_minute() {
        assert_eq!(next("0 */5 * * * *", "2026-08-22T06:00:00"), "2026-08-22 06:05:00");
        assert_eq!(next("*/2 * * * * *", "2026-08-22T06:00:00.5"), "2026-08-22 06:00:02");
        assert_eq!(next("*/5 * * * *", "2026-08-22T06:00:01"), "2026-08-22 06:05:00");
    }

    #[test]
    fn names_are_known_by_their_beginning_in_any_case() {
        assert_eq!(next("30 0 8 * JUL wEd", "2026-06-22T06:00:00"), "2026-07-01 08:00:30");
        assert_eq!(next("0 0 0 1 j *", "2026-06-22T06:00:00"), "2027-01-01 00:00:00");
        assert_eq!(next("0 0 0 * * Sunday", "2026-08-22T06:00:00"), "2026-08-23 00:00:00");
        assert_eq!(next("0 0 0 * * 0", "2026-08-22T06:00:00"), "2026-08-23 00:00:00");
    }

    #[test]
    fn lists_ranges_and_steps_combine() {
        assert_eq!(next("0 0 1,13-15,20/2 * * *", "2026-08-22T15:00:00"), "2026-08-22 20:00:00");
        assert_eq!(next("0 0 1,13-15,20/2 * * *", "2026-08-22T20:00:00"), "2026-08-22 22:00:00");
        assert_eq!(next("0 5/20 * * * *", "2026-08-22T06:25:00"), "2026-08-22 06:45:00");
        assert_eq!(next("0 0 0 * * FRI-MON", "2026-08-21T00:00:00"), "2026-08-24 00:00:00");
        assert_eq!(next("0 10-50/20 * * * *", "2026-08-22T06:10:00"), "2026-08-22 06:30:00");
    }

    #[test]
    fn day_of_month_and_day_of_week_must_both_hold() {
        assert_eq!(next("0 0 0 13 * FRI", "2026-08-01T00:00:00"), "2026-11-13 00:00:00");
    }

    #[test]
    fn a_day_that_a_month_lacks_waits_for_one_that_has_it() {
        assert_eq!(next("0 0 0 31 * *", "2026-08-31T00:00:00"), "2026-10-31 00:00:00");
        assert_eq!(next("0 0 0 29 2 *", "2026-08-31T00:00:00"), "2028-02-29 00:00:00");
        let never = Expression::parse("0 0 0 30 2 *").unwrap();
        assert_eq!(never.next_after("2026-08-31T00:00:00".parse().unwrap()), None);
    }

    #[test]
    fn what_the_library_refuses_is_refused() {
        for text in [
            "",
            "* * * *",
            "0 0 0 L * *",
            "@daily",
            "0 0 0 * * * 2026",
            "61 * * * * *",
            "0 0 0 * * 7",
            "0 0 0 0 * *",
            "0 0 0 * 13 *",
            "0 , * * * *",
            "0 1, * * * *",
            "0 */x * * * *",
            "0 1- * * * *",
            "0 MON * * * *",
            "? * * * * *",
            "0\t0 * * * *",
        ] {
            assert!(Expression::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_expression_is_written_as_the_library_writes_it() {
        for (text, written) in [
            ("*/15 * * * * *", "0,15,30,45 * * * * *"),
            ("0 0 8-10,12 * JAN mon-fri", "0 0 8-10,12 * 1 1-5"),
            ("*/5 * * * *", "0,5,10,15,20,25,30,35,40,45,50,55 * * * *"),
        ] {
            assert_eq!(Expression::parse(text).unwrap().to_string(), written);
        }
    }
}

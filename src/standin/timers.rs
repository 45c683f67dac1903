//! Timer triggers: `TimerListener.cs` of azure-webjobs-sdk-extensions. A run never overlaps the next of its timer: one that
//! takes longer than the interval delays it, and what fell due meanwhile runs once, at once. What was missed while the host
//! was down runs once, late, as past due. One instance has the timers, as by a lease.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use super::definition::{Function, Trigger};
use super::envelope::{self, ScheduleStatus, SystemFacts, TimerFacts};
use super::invoker::{CALLED, Occasion};
use super::schedule::Schedule;
use super::script_host::Shared;
use super::{HostError, HostEvent};

/// The instance that holds the lease.
const LEASEHOLDER: usize = 0;
/// How many occurrences the log shows.
const SHOWN_OCCURRENCES: usize = 5;

/// Why a run happens at another time than scheduled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Startup {
    PastDue,
    RunOnStartup,
}

/// Runs one timer until the script host ends.
pub(super) async fn listen(shared: Arc<Shared>, function: Function) -> Result<(), HostError> {
    let Trigger::Timer { schedule, run_on_startup, .. } = &function.trigger else {
        return Ok(());
    };
    let now = Utc::now();
    let Some(next) = schedule.next_after(now) else {
        let message = format!("the schedule of function `{}` names a date that never comes", function.name);
        shared.warn(message).await;
        return Ok(());
    };
    let mut status = ScheduleStatus { last: None, next, last_updated: None };
    let mut startup = run_on_startup.then_some(Startup::RunOnStartup);
    if is_monitored(&function) {
        let stored = shared.ends.state.get(&status_name(&function)).await?;
        let checked = check_past_due(stored, schedule, now, next);
        if let Some(to_store) = &checked.to_store {
            shared.ends.state.put(&status_name(&function), to_store).await?;
        }
        status = checked.status.unwrap_or(status);
        if checked.is_past_due {
            startup = Some(Startup::PastDue);
        }
    }
    shared.report(HostEvent::Information { message: occurrences(&function.name, schedule, now) }).await;
    loop {
        let due = if startup.is_some() { Utc::now() } else { status.next };
        if !sleep_until(due, &shared).await {
            return Ok(());
        }
        match run(&shared, &function, status, startup.take()).await? {
            Some(after) => status = after,
            None => return Ok(()),
        }
    }
}

/// One run. Returns the status after it; `None`: no occurrence follows.
async fn run(
    shared: &Shared,
    function: &Function,
    status: ScheduleStatus,
    startup: Option<Startup>,
) -> Result<Option<ScheduleStatus>, HostError> {
    let Trigger::Timer { schedule, .. } = &function.trigger else {
        return Ok(None);
    };
    let now = Utc::now();
    let occasion = Occasion {
        reason: format!("Timer fired at {}", round_trip(now, schedule)),
        details: details(startup, &status, schedule),
    };
    let shown = is_monitored(function).then_some(&status);
    invoke(shared, function, schedule, shown, startup == Some(Startup::PastDue), &occasion).await;

    // A timer that fired a little early counts as if it had fired in time: else it would fire twice.
    let adjusted = if startup.is_none() { now.max(status.next) } else { now };
    let Some(next) = schedule.next_after(adjusted) else {
        return Ok(None);
    };
    let after = ScheduleStatus { last: Some(adjusted), next, last_updated: Some(adjusted) };
    if is_monitored(function) {
        shared.ends.state.put(&status_name(function), &after).await?;
    }
    Ok(Some(after))
}

/// One run now because a person wants it (`POST /admin/functions/<name>`): beside the scheduled ones, and without a trace in
/// the status.
pub(super) async fn run_by_hand(shared: &Shared, function: &Function) -> Result<(), HostError> {
    let Trigger::Timer { schedule, .. } = &function.trigger else {
        return Ok(());
    };
    let status: Option<ScheduleStatus> = match is_monitored(function) {
        true => shared.ends.state.get(&status_name(function)).await?,
        false => None,
    };
    let occasion = Occasion { reason: CALLED.to_owned(), details: None };
    invoke(shared, function, schedule, status.as_ref(), false, &occasion).await;
    Ok(())
}

async fn invoke(
    shared: &Shared,
    function: &Function,
    schedule: &Schedule,
    status: Option<&ScheduleStatus>,
    is_past_due: bool,
    occasion: &Occasion,
) {
    let facts = TimerFacts { adjust_for_dst: schedule.adjusts_for_dst(), status, is_past_due, zone: schedule.zone() };
    let request = envelope::timer(&function.binding, &facts, &SystemFacts::now(&function.name));
    let begun = shared.ends.progress.run_begins();
    let outcome = shared.instance(LEASEHOLDER).invoke(function, occasion, Ok(request)).await;
    shared.ends.progress.run_ended(&function.name, begun, &outcome);
}

fn is_monitored(function: &Function) -> bool {
    let Trigger::Timer { schedule, use_monitor, .. } = &function.trigger else {
        return false;
    };
    *use_monitor && !schedule.is_more_often_than_once_a_minute()
}

fn status_name(function: &Function) -> String {
    format!("timers/{}", function.name)
}

struct Checked {
    /// What the listener goes on with; `None`: with a fresh one.
    status: Option<ScheduleStatus>,
    to_store: Option<ScheduleStatus>,
    is_past_due: bool,
}

/// What a starting host makes of the stored status (`ScheduleMonitor.CheckPastDueAsync`).
fn check_past_due(
    stored: Option<ScheduleStatus>,
    schedule: &Schedule,
    now: DateTime<Utc>,
    next: DateTime<Utc>,
) -> Checked {
    let Some(stored) = stored else {
        // Written so that an occurrence is missed even if the timer never ran.
        let to_store = ScheduleStatus { last: None, next, last_updated: Some(now) };
        return Checked { status: None, to_store: Some(to_store), is_past_due: false };
    };
    let computed_from = stored.last.or(stored.last_updated).unwrap_or(now);
    let expected = schedule.next_after(computed_from);
    if expected == Some(stored.next) {
        let is_past_due = now > stored.next;
        return Checked { status: Some(stored), to_store: None, is_past_due };
    }
    // The schedule was changed. An occurrence of the new one that is over already does not count as missed.
    let changed = match expected {
        Some(expected) if expected >= now => {
            ScheduleStatus { last: None, next: expected, last_updated: Some(computed_from) }
        }
        _ => ScheduleStatus { last: None, next, last_updated: Some(now) },
    };
    Checked { status: Some(changed.clone()), to_store: Some(changed), is_past_due: false }
}

/// `false`: the script host ends before.
async fn sleep_until(due: DateTime<Utc>, shared: &Shared) -> bool {
    // The wall clock may be set while we sleep: look at it again.
    while let Ok(left) = (due - Utc::now()).to_std() {
        if left.is_zero() {
            break;
        }
        if !shared.course.sleep(left.min(Duration::from_secs(60))).await {
            return false;
        }
    }
    shared.course.now() == super::course::Course::Running
}

fn details(startup: Option<Startup>, status: &ScheduleStatus, schedule: &Schedule) -> Option<String> {
    match startup? {
        Startup::PastDue => Some(format!(
            "UnscheduledInvocationReason: IsPastDue, OriginalSchedule: {}",
            round_trip(status.next, schedule)
        )),
        Startup::RunOnStartup => Some("UnscheduledInvocationReason: RunOnStartup".to_owned()),
    }
}

/// .NET's format `o`.
fn round_trip(time: DateTime<Utc>, schedule: &Schedule) -> String {
    let here = time.with_timezone(&schedule.zone());
    format!("{}.{:07}{}", here.format("%FT%T"), here.timestamp_subsec_nanos() / 100, here.format("%:z"))
}

fn occurrences(function: &str, schedule: &Schedule, now: DateTime<Utc>) -> String {
    let following = std::iter::successors(schedule.next_after(now), |time| schedule.next_after(*time));
    let lines = following.take(SHOWN_OCCURRENCES).map(|time| {
        let here = time.with_timezone(&schedule.zone());
        if schedule.zone() == chrono_tz::Tz::UTC {
            here.format("\n%m/%d/%Y %H:%M:%SZ").to_string()
        } else {
            format!("{} ({})", here.format("\n%m/%d/%Y %H:%M:%S%:z"), time.to_rfc3339_opts(SecondsFormat::Secs, true))
        }
    });
    let lines: String = lines.collect();
    format!("The next {SHOWN_OCCURRENCES} occurrences of the '{function}' schedule ({schedule}) will be:{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn every_five_minutes() -> Schedule {
        "0 */5 * * * *".parse().unwrap()
    }

    fn check(stored: Option<ScheduleStatus>, schedule: &Schedule, now: &str) -> Checked {
        check_past_due(stored, schedule, at(now), schedule.next_after(at(now)).unwrap())
    }

    fn ran_at(last: &str, next: &str) -> Option<ScheduleStatus> {
        Some(ScheduleStatus { last: Some(at(last)), next: at(next), last_updated: Some(at(last)) })
    }

    #[test]
    fn a_new_timer_is_not_past_due_and_its_first_occurrence_is_remembered() {
        let checked = check(None, &every_five_minutes(), "2026-08-22T06:01:00Z");
        let stored = checked.to_store.unwrap();
        assert_eq!((stored.last, stored.next, checked.is_past_due), (None, at("2026-08-22T06:05:00Z"), false));
        assert_eq!(checked.status, None, "the first run is told of year 1 for all but the next occurrence");
    }

    #[test]
    fn an_occurrence_that_was_missed_runs_late() {
        let stored = ran_at("2026-08-22T06:00:00.02Z", "2026-08-22T06:05:00Z");
        assert!(!check(stored.clone(), &every_five_minutes(), "2026-08-22T06:04:00Z").is_past_due);
        let late = check(stored.clone(), &every_five_minutes(), "2026-08-22T09:00:00Z");
        assert!(late.is_past_due);
        assert_eq!(late.status, stored);
    }

    #[test]
    fn the_first_occurrence_can_be_missed_too() {
        let seen = at("2026-08-22T06:01:00Z");
        let stored = ScheduleStatus { last: None, next: at("2026-08-22T06:05:00Z"), last_updated: Some(seen) };
        assert!(check(Some(stored), &every_five_minutes(), "2026-08-22T06:06:00Z").is_past_due);
    }

    #[test]
    fn a_changed_schedule_counts_from_now_if_its_occurrence_is_over() {
        let stored = ran_at("2026-08-22T06:00:00Z", "2026-08-22T06:05:00Z");
        let hourly: Schedule = "0 0 * * * *".parse().unwrap();
        let over = check(stored.clone(), &hourly, "2026-08-22T09:30:00Z");
        assert_eq!((over.status.unwrap().next, over.is_past_due), (at("2026-08-22T10:00:00Z"), false));
        let to_come = check(stored, &hourly, "2026-08-22T06:30:00Z").to_store.unwrap();
        assert_eq!(to_come.next, at("2026-08-22T07:00:00Z"));
        assert_eq!(to_come.last_updated, Some(at("2026-08-22T06:00:00Z")));
    }

    #[test]
    fn the_log_shows_what_comes() {
        let text = occurrences("sweep", &every_five_minutes(), at("2026-08-22T06:01:00Z"));
        assert!(text.starts_with("The next 5 occurrences of the 'sweep' schedule (Cron: '0 0,5,10,"), "{text}");
        assert!(text.contains("will be:\n08/22/2026 06:05:00Z\n08/22/2026 06:10:00Z\n"), "{text}");
    }
}

//! Timer triggers: `TimerListener.cs` of azure-webjobs-sdk-extensions, for one host. A run never overlaps the next of
//! its timer; what was missed while the host was down runs once, late, as past due.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::definition::{Function, Trigger};
use super::envelope::{self, ScheduleStatus, SystemFacts, TimerFacts};
use super::schedule::Schedule;
use super::state::StateError;
use super::{HostError, Shared};

/// Runs one timer for ever.
pub(super) async fn listen(shared: Arc<Shared>, function: Function) -> Result<(), HostError> {
    let Trigger::Timer { schedule, run_on_startup, .. } = &function.trigger else {
        return Ok(());
    };
    let mut past_due = false;
    if is_monitored(&function, Utc::now()) {
        let now = Utc::now();
        let (status, is_past_due) = at_start(shared.state.get(&status_name(&function)).await?, schedule, now);
        if let Some(status) = status {
            shared.state.put(&status_name(&function), &status).await?;
        }
        past_due = is_past_due;
    }
    if past_due || *run_on_startup {
        run(&shared, &function, past_due).await?;
    }
    loop {
        let now = Utc::now();
        let Some(due) = schedule.next_after(now) else {
            return Ok(());
        };
        sleep_until(due).await;
        run(&shared, &function, false).await?;
    }
}

/// One run now, whoever asks for it: the schedule, or a person by `POST /admin/functions/<name>`.
pub(super) async fn run(shared: &Shared, function: &Function, is_past_due: bool) -> Result<(), HostError> {
    let Trigger::Timer { schedule, .. } = &function.trigger else {
        return Ok(());
    };
    let now = Utc::now();
    let monitored = is_monitored(function, now);
    let status = if monitored { Some(stored_or_fresh(shared, function, schedule, now).await?) } else { None };
    let facts = TimerFacts { adjust_for_dst: schedule.adjusts_for_dst(), status: status.as_ref(), is_past_due };
    let system = SystemFacts { function: &function.name, now, guid: uuid::Uuid::new_v4() };
    let request = envelope::timer(&function.binding, &facts, &system);
    let reason = format!("Timer fired at {}", now.to_rfc3339());

    let begun = shared.progress.run_begins();
    let outcome = shared.invoker.invoke(function, &reason, request).await;
    shared.progress.run_ended(&function.name, begun, &outcome);

    if monitored && let Some(next) = schedule.next_after(now) {
        let ran = ScheduleStatus { last: Some(now), next, last_updated: now };
        shared.state.put(&status_name(function), &ran).await?;
    }
    Ok(())
}

fn is_monitored(function: &Function, now: DateTime<Utc>) -> bool {
    let Trigger::Timer { schedule, use_monitor, .. } = &function.trigger else {
        return false;
    };
    *use_monitor && !schedule.is_more_often_than_once_a_minute(now)
}

async fn stored_or_fresh(
    shared: &Shared,
    function: &Function,
    schedule: &Schedule,
    now: DateTime<Utc>,
) -> Result<ScheduleStatus, StateError> {
    let stored = shared.state.get(&status_name(function)).await?;
    let next = schedule.next_after(now).unwrap_or(now);
    Ok(stored.unwrap_or(ScheduleStatus { last: None, next, last_updated: now }))
}

fn status_name(function: &Function) -> String {
    format!("timers/{}", function.name)
}

/// What a starting host makes of the stored status (`ScheduleMonitor.CheckPastDueAsync`): the status to store where it
/// changes, and whether an occurrence was missed. A schedule that was changed meanwhile counts from now on.
fn at_start(stored: Option<ScheduleStatus>, schedule: &Schedule, now: DateTime<Utc>) -> (Option<ScheduleStatus>, bool) {
    let from_now_on = || schedule.next_after(now).map(|next| ScheduleStatus { last: None, next, last_updated: now });
    let Some(stored) = stored else {
        return (from_now_on(), false);
    };
    let expected = match stored.last {
        Some(last) => schedule.next_after(last),
        // Never run yet: the first occurrence it was to run at stands, if the schedule still has it.
        None => schedule.next_after(stored.last_updated),
    };
    if expected != Some(stored.next) {
        return (from_now_on(), false);
    }
    (None, now > stored.next)
}

async fn sleep_until(due: DateTime<Utc>) {
    // The wall clock may be set while we sleep: look at it again.
    while let Ok(left) = (due - Utc::now()).to_std() {
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(std::time::Duration::from_secs(60))).await;
    }
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

    #[test]
    fn a_new_timer_is_not_past_due_and_its_first_occurrence_is_remembered() {
        let (status, past_due) = at_start(None, &every_five_minutes(), at("2026-08-22T06:01:00Z"));
        let status = status.unwrap();
        assert_eq!((status.last, status.next, past_due), (None, at("2026-08-22T06:05:00Z"), false));
    }

    #[test]
    fn an_occurrence_that_was_missed_runs_late() {
        let last = at("2026-08-22T06:00:00.02Z");
        let stored = ScheduleStatus { last: Some(last), next: at("2026-08-22T06:05:00Z"), last_updated: last };
        let (_, in_time) = at_start(Some(stored.clone()), &every_five_minutes(), at("2026-08-22T06:04:00Z"));
        let (_, too_late) = at_start(Some(stored), &every_five_minutes(), at("2026-08-22T09:00:00Z"));
        assert_eq!((in_time, too_late), (false, true));
    }

    #[test]
    fn the_first_occurrence_can_be_missed_too() {
        let seen = at("2026-08-22T06:01:00Z");
        let stored = ScheduleStatus { last: None, next: at("2026-08-22T06:05:00Z"), last_updated: seen };
        assert!(at_start(Some(stored), &every_five_minutes(), at("2026-08-22T06:06:00Z")).1);
    }

    #[test]
    fn a_changed_schedule_counts_from_now() {
        let last = at("2026-08-22T06:00:00Z");
        let stored = ScheduleStatus { last: Some(last), next: at("2026-08-22T06:05:00Z"), last_updated: last };
        let hourly: Schedule = "0 0 * * * *".parse().unwrap();
        let (status, past_due) = at_start(Some(stored), &hourly, at("2026-08-22T09:30:00Z"));
        assert_eq!((status.unwrap().next, past_due), (at("2026-08-22T10:00:00Z"), false));
    }
}

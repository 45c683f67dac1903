//! What every warehouse must do, as functions over `&dyn Warehouse`; each makes feeds and tables of its own, so that
//! they may share one database, but for the one that needs a database without a schema. At the end they are run against
//! SQLite, and against SQL Server where there is one.

pub mod concurrency;
pub mod files;
pub mod fixture;
pub mod migrations;
pub mod model;
pub mod recounts;
pub mod retractions;
mod sqlite;
mod sqlite_streams;
mod sqlite_tampering;
pub mod sqlserver;
mod sqlserver_alone;
mod sqlserver_cuts;
pub mod stream_migrations;
pub mod stream_races;
pub mod stream_stage;
pub mod stream_values;
pub mod streams;
pub mod values;

/// One test for each conformance case. `$open` makes a guard and a warehouse, or nothing where there is no server; the
/// guard lives as long as the case.
macro_rules! conformance_tests {
    ($open:expr => $($module:ident { $($case:ident),+ $(,)? })+) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $case() {
                let Some((_guard, warehouse)) = $open.await else { return };
                crate::warehouse_conformance::$module::$case(&warehouse).await;
            })+
        })+
    };
}

/// Every case, for one warehouse.
macro_rules! all_conformance_tests {
    ($open:expr) => {
        conformance_tests! { $open =>
            files {
                a_first_load_is_counted,
                a_replayed_message_changes_nothing,
                a_corrected_file_replaces_exactly_its_own_counts,
                a_file_that_returns_to_its_first_version_counts_as_that_version,
                a_moved_etag_is_superseded,
                a_file_that_is_gone_is_never_committed,
                two_files_that_share_keys_add_up,
                a_file_may_count_into_two_tables,
                two_summaries_may_share_one_table,
                a_corrected_file_may_be_empty,
                a_unit_is_read_back_as_it_was_written,
                units_come_in_pages_by_the_bytes_of_their_names,
                a_landing_that_does_not_answer_leaves_nothing_behind,
                a_caller_that_goes_away_leaves_nothing_behind,
            }
            values {
                every_type_is_read_back_as_it_was_counted,
                an_extreme_that_is_corrected_away_gives_way_to_the_next,
                nulls_are_ignored_and_only_nulls_stay_null,
                keys_that_differ_in_case_or_trailing_characters_stay_apart,
                a_sum_that_does_not_fit_is_refused_and_changes_nothing,
                a_sum_that_fits_is_exact_whatever_its_order,
                a_float_sum_that_does_not_fit_is_refused,
                a_decimal_sum_that_does_not_fit_is_refused_and_changes_nothing,
                a_decimal_sum_that_fits_is_exact_whatever_its_order,
                decimals_are_ordered_as_numbers,
                values_that_break_the_contract_are_refused,
                a_key_that_was_counted_twice_is_refused,
            }
            migrations {
                before_migrate_every_call_says_so,
                migrating_again_changes_nothing,
                a_new_meaning_is_the_next_generation_and_a_replay_replaces,
                an_older_generation_is_refused_where_a_newer_one_counted,
                a_meaning_that_comes_back_gets_a_new_number,
                an_unknown_meaning_is_not_migrated,
                a_changed_shape_is_made_anew_and_filled_by_the_replay,
                a_shape_lost_to_another_feed_is_replayed_too,
                an_old_handler_does_not_write_into_a_changed_shape,
                a_summary_that_moved_leaves_its_old_table,
                names_that_could_leave_their_quotes_are_refused,
                odd_but_harmless_names_are_kept,
            }
            retractions {
                a_retraction_takes_back_exactly_what_the_file_counted,
                a_retracted_version_does_not_count_again_by_itself,
                a_new_version_of_a_retracted_file_counts,
                a_retraction_again_changes_nothing,
                a_restored_file_counts_with_its_next_message,
                a_ledger_that_moved_meanwhile_is_left_alone,
                a_version_that_never_counted_can_be_retracted,
                a_retraction_reaches_every_table_of_the_feed,
                the_history_tells_what_took_whose_place,
                a_retracted_file_asks_for_no_replay,
            }
            recounts {
                tables_that_only_commits_wrote_are_right,
                a_recount_before_migrate_says_so,
            }
            streams {
                a_first_batch_is_counted,
                the_next_batch_adds_to_it,
                a_batch_that_comes_again_is_moved_and_changes_nothing,
                a_unit_may_begin_with_nothing,
                a_batch_for_a_unit_without_a_row_is_moved,
                units_that_share_keys_add_up,
                feeds_on_one_hub_count_apart,
                a_stream_and_a_file_that_share_keys_add_up,
                a_stream_is_no_file,
                an_older_generation_is_refused,
                what_was_not_migrated_is_refused,
                gaps_and_quarantine_are_written_only_with_the_commit,
                a_file_of_bad_events_belongs_to_one_commit,
                a_load_of_a_gap_alone_keeps_the_time_of_the_last_event,
                a_load_that_does_not_move_the_ledger_on_is_refused,
                the_ledger_says_since_when_a_summary_counts,
            }
            stream_values {
                batches_merge_as_their_aggregates_say,
                what_a_unit_counted_is_right_after_a_file_made_it_be_counted_anew,
                keys_that_differ_in_case_or_trailing_characters_stay_apart,
                a_table_of_keys_alone_has_each_once,
                a_sum_that_does_not_fit_is_refused_and_changes_nothing,
                a_row_that_breaks_the_contract_is_refused,
                sums_of_floats_that_cancel_out_are_right,
                summaries_that_share_a_table_accumulate_apart_and_add_up,
            }
            stream_migrations {
                a_changed_summary_counts_on_from_where_it_changed,
                a_summary_that_comes_back_has_a_second_entry,
                a_summary_that_never_counted_a_number_leaves_no_entry,
                a_summary_that_is_taken_out_leaves_what_streams_counted,
                a_recreated_table_counts_streams_from_then_on,
                a_recreated_table_of_files_and_streams_tells_of_both,
                a_table_lost_to_another_feed_is_kept_aside_too,
                a_sum_of_streams_alone_that_does_not_fit_is_refused,
            }
            stream_races {
                a_caller_that_goes_away_leaves_a_batch_wholly_or_not_at_all,
            }
            model {
                random_histories_equal_the_merge_of_their_parts,
            }
        }
    };
}

/// Cases for warehouses whose texts hold every character.
macro_rules! conformance_tests_of_texts {
    ($open:expr) => {
        conformance_tests! { $open => values { a_key_with_a_nul_stays_apart } }
    };
}

mod on_sqlite {
    all_conformance_tests!(crate::warehouse_conformance::sqlite::fresh_for_a_case());

    mod texts {
        conformance_tests_of_texts!(crate::warehouse_conformance::sqlite::fresh_for_a_case());
    }
}

mod on_sqlserver {
    all_conformance_tests!(crate::warehouse_conformance::sqlserver::empty_for_a_case());

    mod texts {
        conformance_tests_of_texts!(crate::warehouse_conformance::sqlserver::empty_for_a_case_of_microsoft());
    }
}

//! The suite that every backend passes, written once.
//!
//! A backend's test crate says how to make a fresh store and gets one test per case:
//!
//! ```text
//! async fn make() -> (Arc<dyn Store>, TempDir) { … }
//! storage::conformance!(make);
//! ```
//!
//! The second part of the pair is kept until the case is over. The store may have apps already; the cases make their own.
//! Rooms change only by what the domain's checks allow, except where a case is about units that don't fit the world.

#![allow(clippy::unwrap_used, reason = "these are tests, only compiled where others can call them")]

pub mod accounts;
pub mod apps;
pub mod changed;
pub mod commits;
pub mod cursors;
pub mod folds;
pub mod followers;
pub mod log;
pub mod model;
pub mod repeats;
pub mod rooms;
pub mod world;

/// One test per case of the suite, on stores made by `$make`: an `async fn() -> (Arc<dyn Store>, impl Sized)`.
#[macro_export]
macro_rules! conformance {
    ($make:expr) => {
        $crate::conformance! { $make;
            accounts: admins_are_counted_unless_disabled, devices_come_newest_first_and_end,
                disabling_a_user_ends_their_devices, a_new_password_ends_devices_and_logins,
                pages_of_users_tell_each_once, passwords_are_kept_and_replaced,
                refresh_generations_are_used_once, the_device_unused_for_longest_gives_way,
                units_of_account_changes_are_whole, users_are_found_by_prefix_of_id_and_words, users_change;
            apps: another_app_sees_nothing, apps_are_listed_and_updated, the_epoch_stays;
            changed: a_room_is_told_once_for_each_reason, invited_and_left_rooms_are_told_by_membership,
                listed_rooms_are_whole, pages_lead_to_the_head;
            commits: a_conflict_writes_nothing, a_full_feed_loses_nothing, a_pair_has_one_direct_room_under_a_race,
                a_room_id_is_created_once_under_a_race, a_store_without_reader_goes_on,
                after_close_commits_are_unavailable, commits_form_one_order, expectations_are_held,
                seqs_are_dense_under_concurrency, the_feed_has_one_reader, the_feed_tells_before_the_answer,
                work_that_changes_nothing_is_done;
            cursors: a_message_moves_its_senders_cursors, cursors_are_cut_to_the_head, cursors_only_move_forward,
                joining_starts_at_the_join, messages_are_counted_up_to_what_is_read;
            folds: changes_are_told_exactly, rooms_are_the_fold_of_their_logs, the_feed_leads_to_what_is_stored;
            followers: counters_add_up_and_are_read_from_a_day, followers_step_from_where_they_are,
                tallies_are_bounded, tallies_count_every_event_once, the_journal_names_every_event_once;
            log: edits_show_their_last, entries_are_bounded_in_bytes, entries_are_cut_from_ranges, events_carry_what_was_written,
                reactions_are_counted_as_sets, redaction_takes_everything_away, targets_tell_what_checks_need;
            repeats: client_ids_belong_to_a_device, concurrent_repeats_write_once,
                repeats_are_recognised_before_conflicts, repeats_of_deleted_texts_are_recognised,
                the_last_client_ids_are_remembered;
            rooms: direct_rooms_are_found_in_either_order, members_are_paged_by_id, rooms_follow_the_domain,
                rooms_of_a_user_are_joined_or_invited, sharing_needs_both_joined, snapshots_answer_in_the_order_asked;
        }

        #[test]
        fn the_store_does_as_the_model() {
            $crate::conformance::model::run($make);
        }
    };
    ($make:expr; $($area:ident: $($case:ident),+;)+) => {
        $(mod $area {
            #[allow(unused_imports, reason = "the maker may be a path of the caller")]
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (store, _kept) = $make().await;
                    $crate::conformance::$area::$case(store).await;
                }
            )+
        })+
    };
}

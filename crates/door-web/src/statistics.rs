//! Statistics, for administrators.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::Actor;
use wire::{Code, DayStatistics, StatisticsList, StatisticsRange};

use crate::document::errors;
use crate::door::Door;
use crate::extract::{Caller, Params, answer};
use crate::failure::Failure;

const DAYS_DEFAULT: u32 = 30;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Statistics of the app
///
/// Counted after the fact, a moment behind.
#[utoipa::path(get, path = "/v1/statistics", operation_id = "statistics.get", tag = "server", params(StatisticsRange),
    responses((status = 200, description = "By day", body = StatisticsList)),
    extensions(("x-errors" = json!(errors(&[Code::AdminOnly])))))]
pub(crate) async fn get_statistics(
    State(door): State<Door>,
    Caller(actor): Caller,
    Params(request): Params<StatisticsRange>,
) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &get(&door, &actor, request).await?))
}

pub(crate) async fn get(door: &Door, actor: &Actor, request: StatisticsRange) -> Result<StatisticsList, Failure> {
    let query = engine::Statistics { days: request.days.unwrap_or(DAYS_DEFAULT) };
    let mut days: BTreeMap<u32, BTreeMap<String, u64>> = BTreeMap::new();
    for ((day, name), count) in door.engine.query(actor, query).await? {
        days.entry(day).or_default().insert(name.to_string(), count);
    }
    let day = |(day, counts)| DayStatistics { at: i64::from(day) * DAY_MS, counts };
    Ok(StatisticsList { days: days.into_iter().map(day).collect() })
}

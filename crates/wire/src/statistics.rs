//! Counts of what happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which days.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatisticsRange {
    /// How many days with today, 1 to 366; 30 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// What happened in the app.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StatisticsList {
    /// Ascending; days without anything are left out.
    pub days: Vec<DayStatistics>,
}

/// What happened on a day.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DayStatistics {
    /// Start of the day in UTC.
    pub at: i64,
    /// How often what happened: `messages`, `rooms`, `joins` …
    pub counts: BTreeMap<String, u64>,
}

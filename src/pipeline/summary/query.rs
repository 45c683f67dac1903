//! The shape of a summary's query: one SELECT from the feed with WHERE and GROUP BY, and nothing else. Each clause that
//! cannot be merged over files is refused by its name.

use sqlparser::ast::{
    Distinct, Fetch, GroupByExpr, LimitClause, ObjectNamePart, Query, Select, SelectFlavor, SetExpr, Spanned,
    Statement, TableFactor, TableWithJoins,
};

use super::sql_text::SqlText;
use crate::pipeline::faults::did_you_mean;

/// Every output is merged over files, so nothing may depend on all of them together.
const ORDER_WHERE_YOU_READ: &str = "leave it out, and order or limit where you read";
const WRITE_ONE_SELECT: &str = "write `SELECT …, COUNT(*) AS n FROM feed GROUP BY …`";

/// The one SELECT. `None` if there is none; other faults of the shape are reported and it is returned all the same.
pub(super) fn select_of(sql: &SqlText<'_, '_>, feed: &str) -> Option<Select> {
    let mut statements = sql.statements()?;
    let line = sql.first_line();
    if statements.len() > 1 {
        sql.fault(line, format!("{} statements stand here", statements.len()), "write a `[[summary]]` for each SELECT");
        return None;
    }
    let Some(Statement::Query(query)) = statements.pop() else {
        sql.fault(line, "no SELECT stands here", WRITE_ONE_SELECT);
        return None;
    };
    let body = query_clauses(*query, sql, line);
    let select = match body {
        SetExpr::Select(select) => *select,
        SetExpr::SetOperation { op, left, .. } => {
            sql.fault(
                sql.line(left.as_ref(), line),
                format!("{op} joins two queries, and a summary is one"),
                "write two `[[summary]]` entries with the same `table`: their counts are merged",
            );
            return None;
        }
        _ => {
            sql.fault(line, "no SELECT stands here", WRITE_ONE_SELECT);
            return None;
        }
    };
    select_clauses(&select, sql, line);
    from_clause(&select.from, sql, feed, line);
    Some(select)
}

fn query_clauses(query: Query, sql: &SqlText<'_, '_>, line: usize) -> SetExpr {
    let Query { with, body, order_by, limit_clause, fetch, locks, for_clause, settings, format_clause, pipe_operators } =
        query;
    if let Some(with) = with {
        let remedy = "write the expressions into the SELECT itself; it reads the feed and nothing else";
        sql.fault(sql.line(&with, line), "WITH names another query, and a summary is one", remedy);
    }
    if let Some(order_by) = order_by {
        sql.fault(sql.line(&order_by, line), "ORDER BY has no meaning in a summary table", ORDER_WHERE_YOU_READ);
    }
    if let Some(limit) = limit_clause {
        let (clause, place) = match &limit {
            LimitClause::LimitOffset { limit: Some(limit), .. } => ("LIMIT", sql.line(limit, line)),
            LimitClause::LimitOffset { offset: Some(offset), .. } => ("OFFSET", sql.line(&offset.value, line)),
            LimitClause::LimitOffset { .. } => ("LIMIT", line),
            LimitClause::OffsetCommaLimit { limit, .. } => ("LIMIT", sql.line(limit, line)),
        };
        sql.fault(place, format!("{clause} would drop rows that other files add to"), ORDER_WHERE_YOU_READ);
    }
    if let Some(Fetch { quantity, .. }) = fetch {
        let place = quantity.map_or(line, |quantity| sql.line(&quantity, line));
        sql.fault(place, "FETCH would drop rows that other files add to", ORDER_WHERE_YOU_READ);
    }
    if !locks.is_empty()
        || for_clause.is_some()
        || settings.is_some()
        || format_clause.is_some()
        || !pipe_operators.is_empty()
    {
        sql.fault(line, "a clause after GROUP BY is not one that summaries know", "end the query with GROUP BY");
    }
    *body
}

fn select_clauses(select: &Select, sql: &SqlText<'_, '_>, above: usize) {
    let line = sql.line_of_span(select.select_token.0.span, above);
    let Select {
        select_token: _,
        optimizer_hints,
        distinct,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection: _,
        exclude,
        into,
        from: _,
        lateral_views,
        prewhere,
        selection: _,
        connect_by,
        group_by: _,
        cluster_by,
        distribute_by,
        sort_by,
        having,
        named_window,
        qualify,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    if matches!(distinct, Some(Distinct::Distinct | Distinct::On(_))) {
        let remedy = "leave it out: GROUP BY gives each key one row";
        sql.fault(line, "SELECT DISTINCT cannot be merged over files", remedy);
    }
    if top.is_some() {
        sql.fault(line, "TOP would drop rows that other files add to", ORDER_WHERE_YOU_READ);
    }
    if let Some(having) = having {
        sql.fault(
            sql.line(having, line),
            "HAVING would drop groups that other files add to",
            "filter groups where you read, or rows by WHERE",
        );
    }
    if let Some(qualify) = qualify {
        let remedy = "filter where you read, or rows by WHERE";
        sql.fault(sql.line(qualify, line), "QUALIFY looks at windows over all rows", remedy);
    }
    if !named_window.is_empty() {
        let remedy = "use GROUP BY here, and windows where you read";
        sql.fault(line, "WINDOW looks at other rows, which may be in other files", remedy);
    }
    let standard = matches!(flavor, SelectFlavor::Standard);
    if !standard
        || !optimizer_hints.is_empty()
        || select_modifiers.is_some()
        || exclude.is_some()
        || into.is_some()
        || !lateral_views.is_empty()
        || prewhere.is_some()
        || !connect_by.is_empty()
        || !cluster_by.is_empty()
        || !distribute_by.is_empty()
        || !sort_by.is_empty()
        || value_table_mode.is_some()
    {
        sql.fault(line, "this SELECT has a clause that summaries do not know", "use SELECT, FROM, WHERE and GROUP BY");
    }
}

fn from_clause(from: &[TableWithJoins], sql: &SqlText<'_, '_>, feed: &str, above: usize) {
    let write_from = || format!("write `FROM {feed}`");
    let source = match from {
        [] => return sql.fault(above, "FROM is missing", write_from()),
        [source] => source,
        [_, second, ..] => {
            let line = sql.line(&second.relation, above);
            let remedy = format!("{}; join where you read", write_from());
            return sql.fault(line, "FROM names several tables, and a summary counts one feed", remedy);
        }
    };
    let line = sql.line(&source.relation, above);
    if let [join, ..] = source.joins.as_slice() {
        let line = sql.line(&join.relation, line);
        sql.fault(line, "JOIN looks at another table, and a summary counts one feed", "join where you read");
    }
    let (name, alias, is_plain) = match &source.relation {
        TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_hints,
        } => (name, alias, with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty()),
        TableFactor::Derived { .. } => {
            return sql.fault(line, "FROM holds a subquery, and a summary counts one feed's rows", write_from());
        }
        _ => return sql.fault(line, "FROM holds something other than the feed", write_from()),
    };
    let is_feed = matches!(name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if ident.value == feed);
    if !is_feed {
        let remedy = did_you_mean(&name.to_string(), [feed], write_from);
        sql.fault(line, format!("FROM names `{name}`, but this summary's feed is `{feed}`"), remedy);
    } else if !is_plain {
        sql.fault(line, "FROM holds more than the feed's name", write_from());
    }
    if let Some(alias) = alias {
        let problem = format!("FROM gives the feed another name, `{}`", alias.name.value);
        sql.fault(line, problem, format!("{}, and name columns without a table", write_from()));
    }
}

/// The expressions of GROUP BY; what is more than a list of them is reported.
pub(super) fn group_by_of<'s>(
    select: &'s mut Select,
    sql: &SqlText<'_, '_>,
    line: usize,
) -> Option<&'s mut Vec<sqlparser::ast::Expr>> {
    let place = sql.line_of_span(select.group_by.span(), line);
    match &mut select.group_by {
        GroupByExpr::All(_) => {
            sql.fault(
                place,
                "GROUP BY ALL leaves open what the keys are",
                "name each key: `GROUP BY flight_date, carrier`",
            );
            None
        }
        GroupByExpr::Expressions(expressions, modifiers) => {
            if let Some(modifier) = modifiers.first() {
                let place = expressions.last().map_or(place, |last| sql.line(last, place));
                let problem = format!("GROUP BY … {modifier} makes rows that count others again");
                sql.fault(place, problem, "write a summary for each set of keys");
            }
            Some(expressions)
        }
    }
}

/// What columns may be qualified with: the feed's name, and what FROM calls it (which is reported elsewhere).
pub(super) fn table_names(select: &Select, feed: &str) -> Vec<String> {
    let alias = match select.from.first().map(|source| &source.relation) {
        Some(TableFactor::Table { alias: Some(alias), .. }) => Some(alias.name.value.clone()),
        _ => None,
    };
    std::iter::once(feed.to_owned()).chain(alias).collect()
}

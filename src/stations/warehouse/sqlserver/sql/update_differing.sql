UPDATE [has] SET
  {should_assignments}
FROM {table} AS [has]
INNER JOIN {merged} AS [should] ON {has_matches}
WHERE 1 = 0{differs};

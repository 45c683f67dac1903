UPDATE [stored] SET
  {assignments}
FROM {table} AS [stored]
INNER JOIN {merged} AS [merged] ON {merged_matches};

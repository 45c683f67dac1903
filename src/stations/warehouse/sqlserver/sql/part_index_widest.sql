-- With the unit and the summary it would be too wide for any index; that a unit has one part of each key holds without it.
CREATE NONCLUSTERED INDEX [by_keys] ON {part} ({keys});

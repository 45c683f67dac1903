-- Tables, views, synonyms and whatever else would be in the way of a table of this name.
SELECT CASE WHEN OBJECT_ID(@P1) IS NULL THEN 0 ELSE 1 END;

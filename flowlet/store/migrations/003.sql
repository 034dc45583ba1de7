-- flowlet's tables, version 3: what people may see of an attempt.
--
-- Of a task instance, where a template was rendered or it has a label: its template fields as JSON, masked and
-- cut, and what `map_index_template` calls it.

CREATE TABLE rendered (
    ti INTEGER PRIMARY KEY REFERENCES task_instance (id),
    fields TEXT,
    label TEXT
) STRICT;

INSERT INTO [millrace].[stream] ([unit_id], [feed], [namespace], [hub], [incarnation], [partition], [begins], [applied],
                                 [applied_enqueued_at])
VALUES (@P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8, @P9);

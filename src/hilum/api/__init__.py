"""How programs see it: HTTP under /api/v1, one file per noun.

    application   make_api: routes, errors and middleware together
    calling       who calls, and the right that each route needs
    problems      every error as application/problem+json
    replaying     changes that are asked for twice are made once
    paging        lists and their cursors
    shapes        records as the JSON that scripts rely on
    batches       whole bodies that arrive together are kept together
    bodies        large bodies within limits of size, time and memory
    deliveries    uploads that are open, remembered for a while
    upload_files  the path that images come in by
    serving       the web process

Everything else is a noun. Light to import: the web process is ready at once and stays small.
"""

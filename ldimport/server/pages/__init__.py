"""What a browser is shown of an engine: jobs, one job, the library; and archives of a state file,
where somebody gives them. Pages only read. Each is made of a document, which its ``.json`` is."""

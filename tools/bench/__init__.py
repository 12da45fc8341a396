"""Every figure of ``docs/benchmarks.md``: ``make bench`` measures them anew and writes the page."""

"""Code that only the book needs: experiments, records, statistics, tables and figures."""

"""What only this book needs: experiments, records, statistics, tables and figures."""

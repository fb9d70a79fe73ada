"""The report of a study: one HTML file that opens offline, and a table for the terminal."""

from inexact.report.html import render, write_html
from inexact.report.plain import summary_table

__all__ = ["render", "summary_table", "write_html"]

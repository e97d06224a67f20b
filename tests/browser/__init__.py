"""The pages in a real browser: Chromium without JavaScript, as the pages must work."""

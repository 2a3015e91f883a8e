"""Launches Deixis: what `make run`, `python app.py` and a Hugging Face Space run."""

from app.server import main

if __name__ == "__main__":
    main()

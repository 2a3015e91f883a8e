"""The page: it knows pictures, clicks and people, and nothing about tensors.

`server` hosts `page`, which assembles the canvas and one tab each from `ask`, `correct` and
`teach`. Decisions are pure functions in `handlers`; what a person has on the desk lies in
`session`; `host` keeps the one model; `render` draws answers.
"""

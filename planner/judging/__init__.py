"""Asking a language model what no other check can tell: what is sent, what may count of the answer, what it costs.

It spends money, so that it is as careful with it as `execution` is: nothing is asked without consent or over a ceiling, a
question is written down before it is sent, and an answer is stored before it is used and is not paid for again.
"""

"""Numbers, money, dates and times, alike however they are said or written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planner.checks.phrases import padded_words
from planner.checks.spoken.finder import spoken_finder
from planner.checks.spoken.forms import spoken_forms
from planner.checks.spoken.numbers import read_number

ALIKE = [
    ["30 days", "thirty days", "Thirty-days", "30-day"],
    ["130", "a hundred and thirty", "one hundred thirty"],
    ["1500", "1,500", "fifteen hundred", "one thousand five hundred", "a thousand and five hundred"],
    ["2512", "two thousand, five hundred and twelve"],
    ["5200001", "five million two hundred thousand and one"],
    ["1500000", "1.5 million", "one point five million", "one and a half million"],
    ["3.14", "three point one four", "3,14"],
    ["0.25", "zero point two five"],
    ["2.25", "two point twenty five"],
    ["2.5", "two and a half", "2.50"],
    ["1000.5", "1.000,50"],
    ["21st", "twenty-first", "twenty first"],
    ["200th", "two hundredth"],
    ["105th", "one hundred and fifth"],
    ["$12.50", "12.50 dollars", "twelve dollars and fifty cents", "USD 12.50", "twelve dollars fifty cents", "12,50 $"],
    ["$30", "thirty bucks", "30 USD", "USD 30", "$30 dollars", "thirty dollars"],
    ["50 cents", "$0.50", "fifty cents", "50¢", "€0.50", "half a dollar"],
    ["£3.20", "three pounds and twenty pence", "3.20 GBP"],
    ["€3,50", "3,50 €", "three euros and fifty cents"],
    ["₹500", "five hundred rupees"],
    ["$1.5 million", "one point five million dollars"],
    ["99.9%", "ninety-nine point nine percent", "99.9 per cent"],
    ["May 3", "May 3rd", "the third of May", "3 May", "May the third", "3rd May"],
    ["May 3, 2026", "2026-05-03", "the third of May twenty twenty-six", "May third, two thousand twenty six"],
    ["Dec 24, 1999", "December twenty-fourth, nineteen ninety-nine"],
    ["9:30 AM", "9:30 a.m.", "half past nine in the morning", "nine thirty am", "9:30am", "09:30 in the morning"],
    ["9:15", "quarter past nine", "a quarter after nine", "fifteen minutes past nine", "nine fifteen"],
    ["9:45", "quarter to ten", "a quarter before ten"],
    ["12:50", "ten minutes to one"],
    ["17:30", "5:30 PM", "half past five in the afternoon", "five thirty in the evening"],
    ["9:00", "nine o'clock"],
    ["9 am", "9:00 a.m.", "nine o'clock in the morning", "9am"],
    ["9:05", "nine oh five", "five minutes past nine"],
    ["12 pm", "noon", "12 noon", "twelve noon"],
    ["0:15", "12:15 am", "quarter past twelve at night"],
    ["midnight", "12 am", "00:00", "12 midnight"],
    ["11 pm", "23:00", "eleven at night"],
    ["4155550142", "(415) 555-0142", "four one five, five five five, oh one four two", "415 555 0142"],
    ["0142", "oh one four two", "zero one four two"],
    ["55", "double five", "five five"],
    ["7770", "triple seven zero"],
    ["2026", "twenty twenty-six", "twenty twenty six"],
    ["17", "seventeen", "one seven"],
    ["at 9:30", "at nine thirty"],
    ["4:50", "ten to five", "ten minutes to five", "ten till five"],
    ["3:20", "twenty past three", "twenty minutes past three"],
    ["8:05", "five past eight"],
    ["8:45", "quarter till nine", "a quarter to nine"],
    ["5 o'clock", "5 o clock", "five o'clock", "five o clock", "5:00", "05:00"],
    ["8 AM", "08:00"],
    ["-5 degrees", "minus five degrees", "negative 5 degrees", "\N{MINUS SIGN}5 degrees"],
    ["-$5.50", "minus five dollars and fifty cents"],
    ["500 days", "5 hundred days", "five hundred days"],
    ["$1", "a dollar", "one dollar", "a buck"],
    ["$1.50", "a dollar fifty", "A buck fifty", "a dollar and fifty cents", "a dollar and a half"],
    ["$2.50", "$2½", "two dollars and a half", "2½ dollars"],
    ["$100", "hundred dollars", "a hundred bucks"],
    ["150", "hundred fifty", "hundred and fifty", "a hundred fifty"],
    ["1000 miles", "thousand miles", "a thousand miles"],
    ["500000", "half a million", "half million"],
    ["-$1", "minus a dollar"],
    ["Sep 3", "Sept. 3rd", "Sept. 3", "3 Sept.", "Sept. third", "Sept. the 3rd", "September 3"],
    ["Sep 3, 2026", "Sept. 3, 2026", "3 Sept. 2026"],
    ["Jan. 21", "Jan. twenty-first"],
    ["$5k", "$5K", "$5,000", "five thousand dollars", "5k dollars", "5K USD", "five grand", "5 grand", "$5 grand"],
    ["$1.2M", "$1.2m", "$1.2 million", "1.2M dollars", "$1,200,000"],
    ["£2bn", "£2b", "two billion pounds"],
    ["2.5 hours", "2½ hours", "2 ½ hours", "2 1/2 hours", "two and a half hours", "2 and a half hours"],
    ["2.75 million", "2¾ million"],
    ["3.5 million", "3 and a half million"],
    ["$2,500", "two and a half grand", "two and a half thousand dollars", "twenty-five hundred dollars"],
    ["$1.05", "a dollar five", "a dollar oh five", "one dollar and five cents", "one dollar five"],
    ["$1,000", "a grand", "one grand"],
    ["$0.99", "$.99", "ninety-nine cents"],
    [
        "0.5%",
        ".5%",
        "half a percent",
        "half percent",
        "a half percent",
        "one half of one percent",
        "half of a per cent",
        "point five percent",
        "half of 1 percent",
    ],
    ["0.25%", "a quarter of a percent", "a quarter percent", "point two five percent"],
    ["0.75 percent", "three quarters of a percent", "three quarters percent"],
    ["at 4:45", "at a quarter of five", "at quarter to five"],
    ["24/7", "twenty-four seven"],
    ["5-7 business days", "5 \N{EN DASH} 7 business days", "5 to 7 business days", "five to seven business days"],
    ["10-15%", "10 to 15 percent", "ten to fifteen per cent"],
    ["8005550199", "800-555-0199", "eight hundred, five five five, oh one nine nine"],
    ["1 hour", "an hour", "60 minutes", "one hour", "3600 seconds", "sixty-minute"],
    [
        "90 minutes",
        "an hour and a half",
        "1.5 hours",
        "1 hour 30 minutes",
        "one hour and thirty minutes",
        "one and a half hours",
        "1½ hours",
    ],
    ["30 minutes", "half an hour", "a half hour", "half hour", "30 min"],
    ["15 minutes", "a quarter of an hour", "quarter hour"],
    ["45 minutes", "three quarters of an hour"],
    ["75 minutes", "an hour and a quarter"],
    ["a week", "one week", "1 week"],
    ["2 hours", "2 hrs", "2-hr", "two hour"],
    ["2 minutes", "2 mins", "2 min", "120 seconds"],
    ["a month", "1 month", "one-month"],
    ["three months", "3-month"],
    ["two years", "2-year"],
    ["a year", "1 years"],
    ["March 2027", "March twenty twenty-seven"],
    ["October 1999", "October nineteen ninety-nine"],
    ["+1 555 123 4567", "plus one, five five five, one two three, four five six seven"],
    ["12345", "twelve, uh, three forty-five", "one two, um, three four five"],
    ["you have 40 days", "you, uh, have, umm, forty days"],
    ["C + D", "C plus D"],
    ["AB73", "A B seven three", "A-B-7-3"],
    ["5 mg", "5mg", "five milligrams", "5-milligram"],
    ["5-10 mg", "5-10mg", "five to ten milligrams"],
    ["3 kg", "three kilogrammes"],
    ["5-7 min", "five to seven minutes"],
    ["250 mcg", "250\N{MICRO SIGN}g", "two hundred fifty micrograms"],
    ["0.5 kg", "0.5kg", "half a kilo", "half a kilogram"],
    ["40 g", "40g", "forty grams"],
    ["7 lbs", "7lb"],
    ["8 oz", "8oz", "eight ounces"],
    ["100 ml", "100ml", "a hundred millilitres", "100 milliliters"],
    ["3 mm", "3mm", "three millimeters"],
    ["12 cm", "12cm", "twelve centimetres"],
    ["1.5 km", "1.5km", "one and a half kilometers"],
    ["-5 km", "minus five kilometres"],
    ["30 mph", "30mph", "thirty miles per hour", "thirty miles an hour"],
    ["90 min", "90min", "an hour and a half", "1.5hrs"],
    ["45 sec", "45sec", "forty-five seconds"],
    ["B12", "B twelve", "B-12", "bravo twelve"],
    ["COVID19", "C O V I D nineteen", "covid 19"],
    ["a day and a half", "1.5 days", "one and a half days"],
    ["QX7-42B", "Q X seven four two B", "quebec x-ray seven, forty-two bravo", "Q as in Quebec, X, 7, 4, 2, B for boy"],
    ["MIG-25/4", "M I G dash twenty five slash four"],
    ["order 100-2334", "order one hundred dash twenty three thirty four", "order 1 0 0 2 3 3 4"],
    ["LL88", "double L double eight", "L L eight eight"],
    ["NASA", "N A S A", "n.a.s.a."],
    [
        "ana.ruiz42@g-mail.co.uk",
        "ana dot ruiz forty-two at G dash mail dot co dot U K",
        "A N A dot R U I Z four two at g hyphen mail dot co dot uk",
    ],
    ["mike_99@example.com", "mike underscore ninety nine at example dot com"],
    ["www.example.com/a1", "W W W dot example dot com slash a one", "triple w dot example dot com slash A 1"],
    ["123.0.40.7", "one twenty three dot zero dot four oh dot seven", "123.0.40.7"],
    [
        "1428 Elm St, Springfield, IL 62704",
        "fourteen twenty eight Elm Street, Springfield, Illinois six two seven oh four",
    ],
    ["708 N 1st Ave", "seven oh eight North First Avenue"],
    ["1/3", "one third"],
    ["2/3", "two thirds"],
    ["23.8", "23 4/5", "twenty three and four fifths"],
    ["31/32", "thirty-one thirty seconds"],
    ["05/03/2026", "May third, twenty twenty-six", "5.3.2026", "5-3-2026"],
    ["25/12/2026", "the twenty-fifth of December, twenty twenty-six", "2026/12/25"],
    ["1980s", "nineteen eighties", "1980 s"],
    ["the '80s", "the eighties", "the 80s"],
    ["mid-80s", "mid eighties"],
    ["1910s", "nineteen tens"],
    ["1,000th", "one thousandth", "1000th"],
    ["22/3", "twenty-two thirds"],
    ["US$20.50", "twenty US dollars and fifty cents", "$20.50", "twenty United States dollars fifty"],
    ["14:10:30", "fourteen hours ten minutes and thirty seconds"],
    ["12 kl", "twelve kiloliters"],
    ["H1 2026", "the first half of twenty twenty-six", "1H26"],
    ["March 1665", "March sixteen sixty-five"],
    ["2:30 am", "2.30 a.m.", "two thirty in the morning"],
    ["2pm-5pm", "two PM to five PM"],
    ["$5.50-$7", "five dollars fifty to seven dollars"],
    ["$20/mo", "twenty dollars per month"],
    ["8:00 GMT", "eight o'clock G M T"],
    ["0.506 kg", ".506kg", "point five oh six kilograms"],
    ["21 crore", "210000000"],
    ["1000th", "one thousandth"],
    ["200 m", "200m", "two hundred meters"],
    ["18.5 km\N{SUPERSCRIPT TWO}", "eighteen point five square kilometers", "18.5 km2"],
    ["2 kWh", "two kilowatt hours", "two kilo watt hours"],
    ["3 Mbps", "three megabits per second"],
    ["2 \N{DEGREE SIGN}C", "2\N{DEGREE SIGN}C", "two degrees Celsius"],
    ["6 ft", "six feet", "six foot"],
    ["2Q26", "Q2 2026", "the second quarter of twenty twenty-six", "2q2026"],
    ["2x8", "two by eight", "2 x 8"],
    ["12th", "twelve th", "twelfth"],
    ["23:00", "twenty-three o'clock", "11 pm"],
    ["60 km/h", "sixty kilometers per hour"],
    ["9:00-17:30", "nine o'clock to five thirty PM"],
    ["1990-1995", "nineteen ninety to nineteen ninety-five"],
    ["3 1/3", "three and one third"],
    [
        "midnight_1@example.com",
        "M I D N I G H T underscore one at example dot com",
        "midnight underscore one at example dot com",
    ],
    ["RO10", "R O one oh", "romeo oscar ten"],
    ["#W77", "hash W seven seven", "W double seven"],
]


@pytest.mark.parametrize(("phrase", "texts"), [(phrase, group) for group in ALIKE for phrase in group])
def test_spellings_of_the_same_value_match(phrase: str, texts: list[str]) -> None:
    """Every spelling finds every other, inside a sentence, and is reported as the plan writes it."""
    finder = spoken_finder((phrase,), fold=True)
    found = {text: [one.phrase for one in finder.find(f"It is {text}, you see.")] for text in texts}
    assert found == {text: [phrase] for text in texts}


DIFFERENT: dict[str, list[str]] = {
    "30 days": ["one hundred thirty days", "a hundred and thirty days", "a month"],
    "thirty days": ["30 hours"],
    "$12": ["$12.50", "It costs 12 5."],
    "$30": ["thirty euros", "That is C$30.", "That is A$30 or HK$30."],
    "30%": ["thirty"],
    "May 3": ["May 30", "June 3"],
    "9:30 AM": ["half past nine in the evening"],
    "9:30": ["nine thirty-one"],
    "9:00": ["nine days"],
    "0142": ["oh one four three"],
    "thousand": ["two thousand"],
    "3": ["3rd"],
    "5 mg": ["5 mcg", "fifteen milligrams", "5 g", "five to ten mg", "room five. Milligrams"],
    "10 mg": ["5mg", "ten grams"],
    "5 g": ["5 kg", "five guests"],
    "5 lb": ["five pounds"],
    "5 m": ["5 minutes", "5 km"],
    "one hundred": ["one hundred and one"],
    "100": ["one hundred thirty"],
    "half past nine": ["half nine"],
    "quarter to ten": ["half to ten"],
    "oh": ["oh one two three"],
    "-5 degrees": ["It is 5 degrees"],
    "5 degrees": ["It is -5 degrees", "It is minus five degrees"],
    "May 1": ["You may, first, wait", "You may first wait"],
    "8 PM": ["08:00"],
    "8 AM": ["8:00"],
    "4:50": ["open from ten to five", "we have ten to five people"],
    "4:55": ["Five to five people"],
    "Q2 2026": ["Q3 2026", "Q2 2027", "the second half of 2026", "2 quarters of 2026"],
    "the '80s": ["the eighty", "the nineties", "the 80 seats"],
    "1910s": ["nineteen ten", "nineteen tons"],
    "22/3": ["twenty-two third parties", "2 2/3", "22.3"],
    "4/4": ["four quarters"],
    "14:10:30": ["fourteen hours ten minutes", "14:10", "fourteen ten"],
    "$5": ["$5 hundred", "$5k", "five grand", "Call us. $6 it is."],
    "1,000th": ["one thousand", "1,000 this"],
    "$12.50": ["at twelve fifty", "it costs twelve fifty-one", "flight twelve fifty",
        "It costs twelve. Fifty people came.", "It costs twelve\nfifty", "It costs 12 500.", "It costs 012 50."],
    "$42": ["It is forty-two dollars ten."],
    "50": ["hundred fifty", "a dollar fifty"],
    "$1": ["a dollar fifty", "a dollar and a half", "a dollar sign", "a quarter of a dollar", "$1.2M", "a dollar five"],
    "£1": ["a pound of flour"],
    "$1.20": ["$1.2M"],
    "5000": ["a 5k run"],
    "2": ["2½ hours"],
    "21": ["2½ hours"],
    "2.5": ["2 3/2", "room 2 and a half hour later"],
    "$100": ["a few hundred dollars", "a couple of hundred dollars"],
    "$1 million": ["half a million dollars"],
    "1000000": ["a quarter of a million"],
    "Dec 3": ["in Dec. 3 days later"],
    "$1.50": ["a dollar fifty people paid", "I have a dollar. Fifty more", "a dollar five"],
    "$5.50": ["It is five dollars. Fifty for the box"],
    "$5000": ["five grand pianos"],
    "$1000": ["a grand piano", "a grand and bright room"],
    "$1.05": ["a dollar five people paid", "one dollar five to seven days", "one dollar. Five to go"],
    "5%": [".5%", "It is point five percent"],
    "1%": ["half of one percent"],
    "0.5%": ["at this point five percent", "half of 10 percent", "half of it, percent"],
    "$99": ["$.99"],
    "6:55": ["about five to seven business days"],
    "4:45": ["a quarter of five"],
    "5:15": ["from 5-15 minutes"],
    "5-7 business days": ["5 to 8 business days"],
    "5 to 7": ["5-7"],
    "8 to 5 days": ["8-5 days"],
    "5 to 7 days": ["$5-7 days"],
    "805": ["eight hundred five five five oh one nine nine"],
    "800": ["eight hundred five"],
    "1 hour": ["half an hour", "an hour and a half", "an hour or two", "an hour to three", "$20 an hour",
        "a quarter of an hour"],
    "4 day": ["2 days"],
    "45 minutes": ["three quarters of the hour", "three quarters then an hour"],
    "15 minutes": ["a quarter of the hour"],
    "1.5 hours": ["an hour and a half minute", "1 hour and 5 people"],
    "60 minutes": ["$20 an hour"],
    "1 day": ["twice a day"],
    "1 week": ["open seven days a week"],
    "7 days": ["a week"],
    "24 hours": ["a day"],
    "1 second": ["for a second opinion"],
    "90 minutes": ["an hour and a half hour break"],
    "65 minutes": ["an hour. 5 minutes later"],
    "3 hours": ["two hours and an hour"],
    "0.5 hours": ["half an apple"],
    "March 2010": ["March twenty ten AM"],
    "March 2027": ["March twenty. Twenty-seven came"],
    "March 2007": ["March twenty seven"],
    "um": ["It is 5"],
    "A7": ["a seven day trial"],
    "QX7": ["Q X seven seven", "R Q X seven", "quebec seven"],
    "mike": ["m"],
    "ana@example.com": ["diana at example dot com", "ana at example dot com dot au", "ana dot ana at example dot com",
        "ana and example.com", "ana example com"],
    "a-na@example.com": ["ana@example.com"],
    "example.com": ["for example, come in"],
    "example.com/help": ["example.com"],
    "415 555": ["415 5550"],
    "1/3": ["1/4", "1, then three"],
    "1/2": ["one second", "January 2"],
    "05/03/2026": ["May 4, 2026", "05/03/2025"],
    "30/30": ["thirty thirty seconds"],
    "800 kW": ["800 kilowatt hours"],
    "AB73": ["A B seven four"],
    "C$30": ["That is $30."],
    "$20": ["You have $-20 left."],
    "$25.50": ["The total is twenty. Five fifty for one."],
    "$12.05": ["It costs 12 0 55."],
    "$1250.50": ["It costs 1250 50."],
    "$0.50": ["It costs zero fifty."],
    "$105.50": ["one hundred and five fifty"],
    "12.5": ["It costs twelve fifty."],
    "8:30 PM": ["We open at 08:30."],
    "8:30 AM": ["We open at 20:30."],
    "108:30": ["8:30"],
    "2:08:30": ["8:30"],
    "08:30:15": ["8:30"],
    "08:75": ["8:75"],
}  # fmt: skip
"""By phrase: strings that do not say it. A part of a number is not the number, nor the same number of something else."""


AMBIGUOUS: dict[str, list[str]] = {
    "10 mg": ["about five to ten milligrams"],
    "milligrams": ["Give 5 milligrams"],
    "kilos": ["It weighs five kilos"],
    "$12.50": ["It costs twelve fifty", "It costs twelve fifty. Fifteen for two."],
    "twelve fifty": ["It is $12.50 today", "Twelve fifty, plus $3"],
    "$12.05": ["The total is twelve oh five.", "It costs 12 0 5.", "It costs 12 05."],
    "$42.10": ["That is forty-two dollars ten.", "You pay forty-two dollars ten for it"],
    "12 50": ["It costs twelve fifty"],
    "1250": ["It costs twelve fifty"],
    "$42": ["forty-two dollars 10 people"],
    "May 1": ["in May first"],
    "5": ["10 -5", "Um, 5 days"],
    "$5": ["$5 and one hundred people"],
    "$1.50": ["Oh a dollar fifty more"],
    "100": ["at nine a hundred people"],
    "$1": ["It is a dollar or fifty cents"],
    "£1": ["It is a pound. Of course"],
    "Sept 3": ["We are open Sept. 3 is a holiday"],
    "$2": ["two dollars and a half hour"],
    "the 15th": ["on the 15th of May at 3 PM"],
    "15th": ["May 15th"],
    "March the fifth": ["on March the fifth"],
    "$19.95": ["That would be nineteen ninety-five", "That'll be, uh, nineteen ninety-five, please",
        "nineteen ninety-five plus tax"],
    "um": ["It is, um, 5"],
    "uh": ["Uh"],
    "60 minutes": ["It takes an hour or so.", "It takes an hour for 2 people."],
    "$30": ["That is a $30 fee.", "That is US$30."],
    "C$30": ["That is C$30."],
    "-$20": ["You have $-20 left."],
    "$5.50": ["The total is twenty. Five fifty for one."],
    "$125.50": ["It costs one hundred twenty-five fifty."],
    "$12": ["It costs 12 00."],
    "$105.50": ["one hundred five fifty"],
    "one hundred five fifty": ["$105.50"],
    "8:30 AM": ["We open at 08:30.", "08:30 sharp"],
    "8:30 PM": ["We open at 20:30."],
    "08:30": ["We open at 8:30 AM.", "at half past eight", "We open at eight thirty.", "eight thirty", "08:30"],
    "eight thirty": ["08:30"],
    "08:30 AM": ["8:30 AM"],
    "09:05": ["9:05 AM"],
    "from 08:30 to 17:00": ["from 8:30 AM to 5 PM"],
    "00:30": ["12:30 AM"],
}  # fmt: skip
"""By phrase: strings that may mean it. What is ambiguous is found as each of the things that it may be."""


@pytest.mark.parametrize(("phrase", "text", "is_found"), [
    *((phrase, text, False) for phrase, texts in DIFFERENT.items() for text in texts),
    *((phrase, text, True) for phrase, texts in AMBIGUOUS.items() for text in texts),
])  # fmt: skip
def test_a_phrase_is_found_where_it_may_be_meant(phrase: str, text: str, is_found: bool) -> None:
    assert [found.phrase for found in spoken_finder((phrase,), fold=True).find(text)] == [phrase] * is_found


PIECES = (*"0 2 ¼ ½ ' a . / , Sept. $ k m d".split(), " ", "\N{COMBINING ACUTE ACCENT}", "\N{SOFT HYPHEN}")  # noqa: SIM905
"""Of what may be taken for an amount."""


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
@example("0¼A")
@example("0¼'a")
def test_a_text_without_numbers_stays_as_it_is(text: str) -> None:
    """Any text can be read; places are in order and within the text's words; reading a reading changes nothing."""
    words = padded_words(text, fold=True).split()
    forms = spoken_forms(text, fold=True)
    for form in filter(None, (forms.amounts, forms.rows, forms.prices, forms.durations)):
        assert len(form.starts) == len(form.ends) == len(form.padded.split())
        assert list(form.starts) == sorted(form.starts)
        assert all(start < end <= len(words) for start, end in zip(form.starts, form.ends, strict=True))


def words_of(number: int) -> str:
    """English for a number below 10^9, written down the other way round: from the number to its words."""
    below_ten = "zero one two three four five six seven eight nine "
    teens = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    small = (below_ten + teens).split()
    tens = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    if number < 20:
        return small[number]
    if number < 100:
        return tens[number // 10] + ("-" + small[number % 10] if number % 10 else "")
    if number < 1000:
        rest = f" and {words_of(number % 100)}" if number % 100 else ""
        return f"{small[number // 100]} hundred{rest}"
    for scale, name in ((10**6, "million"), (10**3, "thousand")):
        if number >= scale:
            rest = f" {words_of(number % scale)}" if number % scale else ""
            return f"{words_of(number // scale)} {name}{rest}"
    raise AssertionError


@given(st.integers(0, 10**9 - 1))
def test_every_number_is_read_from_its_words(value: int) -> None:
    """All of its words, and the value they say."""
    words = words_of(value).replace("-", " ")
    number = read_number(f"{words}. ", 0)
    assert number is not None
    assert (number.value, number.end, number.digits) == (value, len(words), str(value))


@pytest.mark.parametrize(
    "before",
    "in within for about around approximately roughly nearly almost takes take took than after over".split()  # noqa: SIM905
    + "under least most last lasts lasted exactly is be was it's".split(),  # noqa: SIM905
)
def test_an_hour_is_one_where_a_time_is_spoken_of(before: str) -> None:
    """Elsewhere it may be how often something is done, or what is paid for it."""
    finder = spoken_finder(("60 minutes",), fold=True)
    assert finder.find(f"That {before} an hour, he said")
    assert finder.find("Hm. An hour it is")
    assert not finder.find("It costs 20 dollars an hour")


@given(st.integers(0, 40), st.integers(0, 59), st.integers(0, 59), st.integers(0, 59))
def test_a_time_is_spoken_in_hours_or_in_minutes(hours: int, minutes: int, seconds: int, other: int) -> None:
    """Every spelling finds every other spelling of the same time, and none of another one."""
    total = 3600 * hours + 60 * minutes + seconds

    def ways(seconds: int) -> list[str]:
        return [
            f"{words_of(hours)} hours, {words_of(minutes)} minutes and {words_of(seconds)} seconds",
            f"{hours} hr {60 * minutes + seconds} seconds",
            f"{60 * hours + minutes} minutes {seconds} sec"
            if seconds > 60
            else f"{60 * hours + minutes} minutes {seconds} seconds",
            f"{3600 * hours + 60 * minutes + seconds} seconds",
        ]

    for phrase in ways(seconds):
        for text, others in zip(ways(seconds), ways(other), strict=True):
            assert spoken_finder((phrase,), fold=True).find(f"It takes {text} at most.")
            if other != seconds:
                assert not spoken_finder((phrase,), fold=True).find(f"It takes {others} at most."), (total, phrase)


@given(st.integers(1, 999), st.integers(1, 9), st.integers(1, 99))
def test_a_few_cents_are_distinguished(dollars: int, few: int, cents: int) -> None:
    """`three dollars five` and `oh five` are $3.05, and no other price."""
    finder = spoken_finder((f"${dollars}.{cents:02}",), fold=True)
    for text in (f"{words_of(dollars)} dollars {words_of(few)}", f"{words_of(dollars)} dollars oh {words_of(few)}"):
        assert bool(finder.find(f"That is {text}.")) is (cents == few)


@given(st.integers(1, 99), st.integers(1, 99), st.integers(1, 99))
def test_a_range_is_spoken_with_to(first: int, last: int, other: int) -> None:
    finder = spoken_finder((f"{first}-{last} days",), fold=True)
    said = f"That takes {words_of(first)} to {words_of(other)} days."
    assert bool(finder.find(said)) is (first < last == other)
    assert bool(finder.find(f"That takes {first}-{other} days.")) is (last == other)


@given(st.integers(1, 9), st.text("0123456789", min_size=7, max_size=7))
def test_a_telephone_number_may_begin_with_hundreds(area: int, rest: str) -> None:
    """What is said digit by digit behind `eight hundred` is not added to it."""
    said = f"{words_of(area)} hundred {' '.join(words_of(int(digit)) for digit in rest)}"
    assert spoken_finder((f"{area}00-{rest[:3]}-{rest[3:]}",), fold=True).find(f"Call {said} now.")


def test_spoken_counts_and_places(talk: Any, judge: Any) -> None:
    """Counts count every way to say it; the finding names the plan's phrase and quotes the turn."""
    evidence = talk("agent: Thirty days. Yes, 30 days.", "caller: Thirty days?")
    expected = ("failed", 'said "30 days" 2 times in 1 agent turn, expected at most 1', 1)
    assert judge(evidence, check="says", any_of=["30 days"], spoken=True, max_count=1) == expected
    assert judge(evidence, check="never_says", any_of=["31 days", "30 hours"], spoken=True)[0] == "passed"


def test_spoken_keeps_case_where_asked(talk: Any, judge: Any) -> None:
    """Number words are read in any case; other words are compared as the plan says."""
    evidence = talk("agent: THIRTY Days.", "caller: Oh.")
    assert judge(evidence, check="says", any_of=["30 Days"], spoken=True, ignore_case=False)[0] == "passed"
    assert judge(evidence, check="says", any_of=["30 days"], spoken=True, ignore_case=False)[0] == "failed"

from shop.slug import slugify


def test_plain():
    assert slugify("Hello, World!") == "hello-world"


def test_accents():
    assert slugify("Crème Brûlée") == "creme-brulee"


def test_sharp_s():
    assert slugify("Große Straße") == "grosse-strasse"

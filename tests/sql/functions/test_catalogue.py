"""The catalogue against the developer guide's list of functions."""

from fogbank.sql.functions.catalogue import functions

# The functions of the guide's page "Functions", cast aside: that has a syntax of its own.
DOCUMENTED = """
abs accountid acos asin atan atan2 aws_lambda bitand bitor bitxor bitnot ceil chr clientid concat cos cosh decode encode
endswith exp floor get get_dynamodb get_mqtt_property get_or_default get_registry_data get_secret get_thing_shadow
get_user_properties indexof isnull isundefined length ln log lower lpad ltrim machinelearning_predict md2 md5 mod nanvl
newuuid numbytes parse_time power principal rand regexp_matches regexp_replace regexp_substr remainder replace round
rpad rtrim sha1 sha224 sha256 sha384 sha512 sign sin sinh sourceip sql_version sqrt startswith substring tan tanh
time_to_epoch timestamp topic traceid transform trim trunc upper
"""


def test_every_documented_function_is_there() -> None:
    assert sorted(functions()) == sorted(DOCUMENTED.split())


def test_names_are_lower_case_and_bounds_make_sense() -> None:
    for name, function in functions().items():
        assert name == function.name == name.lower()
        assert function.most is None or 0 <= function.least <= function.most
        if (longer := function.longer) is not None:
            assert longer.name == name
            assert function.most is not None
            assert function.most < longer.least

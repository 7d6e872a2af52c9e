# Puts the parts of the extension's script together, in the order of their names.
#
# A GRANT stands beside its object, with the comment above it.  Here all of them
# move to the end: the last part takes from everybody what default privileges of
# the database have given, and must not take what the parts grant.

FNR == 1 { print (NR > 1 ? "\n" : "") "/* " FILENAME " */\n" }
/^--/ { comment = comment $0 "\n"; next }
/^GRANT / { in_grant = 1 }
in_grant { grants = grants comment $0 "\n" }
!in_grant { printf "%s%s\n", comment, $0 }
{ comment = "" }
/;$/ { in_grant = 0 }
END { printf "%s\n/* what each role may */\n\n%s", comment, grants }

# Puts the parts of a script together, in the order of their names: those of this
# folder to the one that makes the extension, those of a folder FROM--TO, with
# update=1, to the one that brings it from one version to the next.  @VERSION@ is the
# version that there is afterwards, which the caller names.
#
# A part that is new is in both: in FROM--TO as a symbolic link.  Where there are no
# links (an archive that was unpacked without them), it is a file that holds the name.
#
# A GRANT stands beside its object, with the comment above it.  Here all of them
# move to the end: the last part takes from everybody what default privileges of
# the database have given, and must not take what the parts grant.

BEGIN {
	for (i = 1; i < ARGC; i++) {
		if (ARGV[i] !~ /\.sql$/)
			continue
		named[ARGV[i]] = ARGV[i]
		if ((getline first <ARGV[i]) > 0 && first ~ /^\.\.\/[0-9a-z_]+\.sql$/) {
			target = ARGV[i]
			sub(/[^\/]*$/, first, target)
			named[target] = ARGV[i]
			close(ARGV[i])
			ARGV[i] = target
		} else
			close(ARGV[i])
	}
	if (update) {
		print "-- complain if script is sourced in psql, rather than via ALTER EXTENSION"
		print "\\echo Use \"ALTER EXTENSION reengage UPDATE TO '" version "'\" to load this file. \\quit\n"
		print "SELECT reengage_internal.require_library('" version "');"
	}
}
FNR == 1 { print (NR > 1 || update ? "\n" : "") "/* " named[FILENAME] " */\n" }
/^--/ { comment = comment $0 "\n"; next }
/^GRANT / { in_grant = 1 }
{ gsub(/@VERSION@/, version) }
in_grant { grants = grants comment $0 "\n" }
!in_grant { printf "%s%s\n", comment, $0 }
{ comment = "" }
/;$/ { in_grant = 0 }
END {
	printf "%s\n/* what each role may */\n\n%s", comment, grants
	if (update)
		print "\n/* a worker that has waited for this can go on */\n\nSELECT reengage_internal.wake('-infinity');"
}

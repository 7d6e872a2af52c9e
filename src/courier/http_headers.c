/*
 * http_headers.c: the headers of a request, as libcurl wants them, and what it can
 * read of a reply's.
 */
#define _GNU_SOURCE
#include "http_headers.h"

#include <string.h>

#include "exit.h"
#include "memory.h"

static struct curl_slist *
add_line(struct curl_slist *list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(list, line);

	require(longer != NULL);
	return longer;
}

struct curl_slist *
header_list_make(const char *lines, bool has_body)
{
	struct curl_slist *list = NULL;
	char	   *copy = copy_text(lines);
	char	   *rest = copy;
	char	   *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		list = add_line(list, line);
	forget_text(copy);
	/* send the body at once */
	return has_body ? add_line(list, "Expect:") : list;
}

void
header_list_free(struct curl_slist *list)
{
	for (struct curl_slist *line = list; line != NULL; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(list);
}

time_t
header_date_read(const char *text)
{
	return curl_getdate(text, NULL);
}

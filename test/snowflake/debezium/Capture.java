import io.debezium.embedded.Connect;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.RecordChangeEvent;
import io.debezium.engine.format.ChangeEventFormat;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;

/**
 * What a worker of Kafka Connect does with Debezium's properties file, without Kafka: it
 * runs the connector and its transforms, and writes each record as the file's converters
 * would have sent it.
 *
 * <p>Capture PROPERTIES PLACE EVENTS: the file as it is shipped; a second one that says
 * where this database and the offsets are; and where to write, a line for each record:
 * its topic, key and value in JSON. Stops at the end of its standard input.
 */
public final class Capture {
  private final Converter key;
  private final Converter value;
  private final PrintStream events;

  private Capture(Properties settings, PrintStream events) throws ReflectiveOperationException {
    this.key = converter(settings, "key");
    this.value = converter(settings, "value");
    this.events = events;
  }

  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    for (int n = 0; n < 2; n++) {
      try (var reader = Files.newBufferedReader(Path.of(args[n]))) {
        settings.load(reader);
      }
    }
    Throwable[] failure = new Throwable[1];
    ExecutorService executor = Executors.newSingleThreadExecutor();
    try (PrintStream events = new PrintStream(args[2], StandardCharsets.UTF_8)) {
      Capture capture = new Capture(settings, events);
      DebeziumEngine<RecordChangeEvent<SourceRecord>> engine =
          DebeziumEngine.create(ChangeEventFormat.of(Connect.class))
              .using(settings)
              .using((success, message, error) -> {
                if (!success) {
                  failure[0] = error == null ? new IOException(message) : error;
                }
              })
              .notifying(capture::write)
              .build();
      executor.execute(engine);
      while (System.in.read() >= 0) {
        // until whoever started this has seen enough
      }
      engine.close();
    } finally {
      executor.shutdown();
    }
    if (failure[0] != null) {
      failure[0].printStackTrace();
      System.exit(1);
    }
  }

  private void write(
      List<RecordChangeEvent<SourceRecord>> batch,
      DebeziumEngine.RecordCommitter<RecordChangeEvent<SourceRecord>> committer)
      throws InterruptedException {
    for (RecordChangeEvent<SourceRecord> event : batch) {
      SourceRecord record = event.record();
      String topic = record.topic();
      events.println("[\"" + topic + "\","
          + json(key, topic, record.keySchema(), record.key()) + ","
          + json(value, topic, record.valueSchema(), record.value()) + "]");
      committer.markProcessed(event);
    }
    events.flush();
    committer.markBatchFinished();
  }

  private static String json(Converter converter, String topic, Schema schema, Object data) {
    byte[] bytes = converter.fromConnectData(topic, schema, data);
    return bytes == null ? "null" : new String(bytes, StandardCharsets.UTF_8);
  }

  /** As a worker makes it: with the settings that begin with its name. */
  private static Converter converter(Properties settings, String which)
      throws ReflectiveOperationException {
    String name = which + ".converter";
    Map<String, String> own = new HashMap<>();
    for (String setting : settings.stringPropertyNames()) {
      if (setting.startsWith(name + ".")) {
        own.put(setting.substring(name.length() + 1), settings.getProperty(setting));
      }
    }
    Converter converter = (Converter) Class.forName(settings.getProperty(name)).getDeclaredConstructor().newInstance();
    converter.configure(own, which.equals("key"));
    return converter;
  }
}
